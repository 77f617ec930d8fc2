"""Orders read from answers: whatever is answered is a permutation; a window that slides brings the best to the top."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.rerankers.permutation import parse_permutation, slide


@given(st.text(), st.integers(0, 30))
def test_any_answer_is_a_permutation(answer: str, count: int) -> None:
    assert sorted(parse_permutation(answer, count)) == list(range(count))


@given(st.permutations(list(range(12))), st.sampled_from([" > ", ">", ", ", "\n"]), st.sampled_from(["[{}]", "{}"]))
def test_a_whole_order_is_read_as_it_stands(order: list[int], between: str, form: str) -> None:
    assert parse_permutation(between.join(form.format(place + 1) for place in order), 12) == order


@given(st.lists(st.integers(0, 40)), st.integers(1, 20))
def test_missing_repeated_and_impossible_numbers(numbers: list[int], count: int) -> None:
    found = parse_permutation(" > ".join(f"[{number}]" for number in numbers), count)
    said: list[int] = []
    for number in numbers:  # the slow way
        if 1 <= number <= count and number - 1 not in said:
            said.append(number - 1)
    assert found == said + [place for place in range(count) if place not in said]


def test_what_is_around_an_answer_is_no_part_of_it() -> None:
    assert parse_permutation("<think>[1] is bad, [3] is good</think>\n[3] > [2]", 3) == [2, 1, 0]
    assert parse_permutation("1. [3]\n2. [1]\n3. [2]", 3) == [2, 0, 1]
    assert parse_permutation("99999999999999999999 > 2", 3) == [1, 0, 2]


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(2, 12), st.data())
def test_a_perfect_judge_brings_the_best_to_the_top(items: list[int], window: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, window - 1))
    asked: list[int] = []

    def order(part: list[int]) -> list[int]:
        asked.append(len(part))
        return sorted(range(len(part)), key=lambda place: -part[place])

    found = slide(items, order, window=window, step=step)
    best = sorted(items, reverse=True)
    assert found[: window - step] == best[: window - step]
    assert sorted(found) == sorted(items)
    assert all(size <= window for size in asked)
    if len(items) <= window:
        assert found == best
