from __future__ import annotations

import numpy as np
import pytest

from c2vsearch.collection.staging import Outcome, Staging
from tests.collection.builder import state

BEFORE = {"old": state("old", 3), "bad": state("bad", 0, status="failed")}


def outcome(staging: Staging, rows: int) -> Outcome:
    result = staging.outcome(BEFORE, rows=rows)
    assert BEFORE == {"old": state("old", 3), "bad": state("bad", 0, status="failed")}
    return result


def add(staging: Staging, source: str, *rows: int) -> None:
    for row in rows:
        staging.add(source, row)


def live(result: Outcome) -> list[int]:
    return np.flatnonzero(result.live).tolist()


@pytest.mark.parametrize("record_first", [True, False])
def test_a_whole_source_replaces_the_old_rows(record_first: bool) -> None:
    staging = Staging()
    if record_first:
        staging.record(state("old", 2, mtime=5))
    add(staging, "old", 0, 1)
    if not record_first:
        staging.record(state("old", 2, mtime=5))
    result = outcome(staging, 2)
    assert (result.sources["old"].mtime_ns, result.replaced, live(result)) == (5, {"old"}, [0, 1])


@pytest.mark.parametrize("removed", [True, False])
def test_an_unfinished_source_stays_as_it_was(removed: bool) -> None:
    staging = Staging()
    if removed:
        staging.remove("old")
    add(staging, "old", 0, 1)
    assert outcome(staging, 2).sources == BEFORE
    staging.record(state("old", 5))  # more chunks than came
    result = outcome(staging, 2)
    assert (result.sources, result.replaced, live(result)) == (BEFORE, set(), [])


def test_a_removed_source_is_gone() -> None:
    staging = Staging()
    staging.remove("old")
    result = outcome(staging, 0)
    assert (set(result.sources), result.replaced) == ({"bad"}, {"old"})


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_source_that_gives_no_text_any_more_loses_its_rows(status: str) -> None:
    staging = Staging()
    staging.record(state("old", 0, status=status))
    result = outcome(staging, 0)
    assert (result.sources["old"].status, result.replaced) == (status, {"old"})


def test_a_touched_source_keeps_its_rows() -> None:
    staging = Staging()
    staging.record(state("old", 3, mtime=9))
    result = outcome(staging, 0)
    assert (result.sources["old"].mtime_ns, result.replaced) == (9, set())
    staging.record(state("old", 4, mtime=9))  # rows that nobody added
    assert outcome(staging, 0).sources == BEFORE


def test_the_last_of_two_turns_counts() -> None:
    staging = Staging()
    add(staging, "new", 0, 1)
    staging.record(state("new", 2))
    add(staging, "other", 2)
    staging.record(state("other", 1))
    add(staging, "new", 3)
    staging.record(state("new", 1, mtime=7))
    result = outcome(staging, 4)
    assert (result.sources["new"].mtime_ns, live(result)) == (7, [2, 3])


def test_a_source_may_come_in_parts() -> None:
    staging = Staging()
    staging.record(state("a", 3))
    add(staging, "a", 0, 1)
    add(staging, "b", 2)
    add(staging, "a", 3)
    assert live(outcome(staging, 4)) == [0, 1, 3]


def test_added_recorded_and_removed_is_removed() -> None:
    staging = Staging()
    add(staging, "old", 0)
    staging.record(state("old", 1))
    staging.remove("old")
    result = outcome(staging, 1)
    assert (set(result.sources), result.replaced, live(result)) == ({"bad"}, {"old"}, [])


def test_a_source_brought_in_twice_has_the_rows_of_the_second_time() -> None:
    staging = Staging()
    add(staging, "new", 0)
    staging.record(state("new", 1))
    add(staging, "new", 1)  # as many as were recorded the first time, and not all that come
    assert live(outcome(staging, 2)) == []
    add(staging, "new", 2)
    staging.record(state("new", 2))
    result = outcome(staging, 3)
    assert (result.sources["new"].chunks, live(result)) == (2, [1, 2])
