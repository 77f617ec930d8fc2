"""A time budget by a clock that only moves when texts are looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.search.budget import MARGIN, scores_within


class Timed:
    """Its score of a text is the text's number; each text takes so long, and each call as well."""

    weight = 1.0

    def __init__(self, each: float, call: float = 0.0) -> None:
        self.each, self.call, self.now, self.calls = each, call, 0.0, []

    def scores(self, query, texts):
        self.calls.append(list(texts))
        self.now += self.call + self.each * len(texts)
        return [float(text) for text in texts]

    def clock(self) -> float:
        return self.now


class TimedList(Timed):
    """Compares texts with each other, a window at a time."""

    def __init__(self, window: int, step: int, call: float) -> None:
        super().__init__(0.0, call)
        self.window, self.step = window, step

    def scores(self, query, texts):
        windows = 1 + max(0, -(-(len(texts) - self.window) // self.step))
        self.calls.append(list(texts))
        self.now += windows * self.call
        return [float(text) for text in texts]


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@given(st.integers(0, 200), st.floats(0.001, 10), st.floats(0.001, 100))
def test_as_many_as_fit_are_scored_best_first_and_each_once(count: int, each: float, budget: float) -> None:
    reranker = Timed(each)
    found = scores_within(reranker, "q", texts(count), budget_s=budget, clock=reranker.clock)
    assert found == [float(number) for number in range(len(found))]
    assert [text for part in reranker.calls for text in part] == texts(len(found))
    assert reranker.now <= max(budget, each) * (1 + 1e-9)
    # Nothing that would have fitted with its margin was left.
    assert len(found) == count or budget - reranker.now < each * MARGIN * (1 + 1e-9)


def test_one_is_looked_at_whatever_the_budget_is() -> None:
    reranker = Timed(each=5.0)
    assert scores_within(reranker, "q", texts(9), budget_s=0.001, clock=reranker.clock) == [0.0]


def test_a_clock_that_stands_still_stops_nothing() -> None:
    reranker = Timed(each=0.0)
    assert len(scores_within(reranker, "q", texts(99), budget_s=1.0, clock=reranker.clock)) == 99


def test_few_calls_are_made() -> None:
    reranker = Timed(each=0.001)
    assert len(scores_within(reranker, "q", texts(100), budget_s=10.0, clock=reranker.clock)) == 100
    assert len(reranker.calls) <= 5


@pytest.mark.parametrize(
    ("budget", "expected"), [(0.1, 4), (2.0, 4), (3.5, 6), (7.5, 12), (60.0, 20)], ids=lambda value: f"{value}"
)
def test_a_list_is_looked_at_by_windows(budget: float, expected: int) -> None:
    reranker = TimedList(window=4, step=2, call=1.0)
    found = scores_within(reranker, "q", texts(20), budget_s=budget, clock=reranker.clock)
    assert found == [float(number) for number in range(expected)]
    assert reranker.now <= max(budget, 1.0)
    assert [len(part) for part in reranker.calls] == [4, expected][: 1 + (expected > 4)]


def test_no_texts_take_no_time() -> None:
    assert scores_within(Timed(1.0), "q", [], budget_s=1.0) == []
