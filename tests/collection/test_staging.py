"""What came of a run, case by case, and against a twin that keeps everything as objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.collection.manifest import SourceState
from c2vsearch.collection.sources import SourceTable, stored_name, write_sources
from c2vsearch.collection.staging import Staging
from tests.collection.builder import state

BEFORE = {"old": state("old", 3), "bad": state("bad", 0, status="failed")}


@dataclass
class Outcome:
    """What is asked of an outcome, as plain values."""

    sources: dict[str, SourceState]
    replaced: set[str]
    live: list[int]
    changed: bool


def table_of(place: Path, states: Mapping[str, SourceState]) -> SourceTable:
    return SourceTable(write_sources(place, sorted(states.values(), key=stored_name)))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> SourceTable:
    return table_of(tmp_path_factory.mktemp("sources"), BEFORE)


def outcome(staging: Staging, before: SourceTable, rows: int) -> Outcome:
    result = staging.outcome(before, rows=rows)
    states = list(result.sources())
    assert states == sorted(states, key=stored_name)
    names = list(before)
    replaced = {names[row] for row in np.flatnonzero(result.replaced)}
    return Outcome({s.source: s for s in states}, replaced, np.flatnonzero(result.live).tolist(), result.changed)


def add(staging: Staging, source: str, *rows: int) -> None:
    for row in rows:
        staging.add(source, row, row + 1)


@pytest.mark.parametrize("record_first", [True, False])
def test_a_whole_source_replaces_the_old_rows(before: SourceTable, record_first: bool) -> None:
    staging = Staging()
    if record_first:
        staging.record(state("old", 2, mtime=5))
    add(staging, "old", 0, 1)
    if not record_first:
        staging.record(state("old", 2, mtime=5))
    result = outcome(staging, before, 2)
    assert (result.sources["old"].mtime_ns, result.replaced, result.live) == (5, {"old"}, [0, 1])


@pytest.mark.parametrize("removed", [True, False])
def test_an_unfinished_source_stays_as_it_was(before: SourceTable, removed: bool) -> None:
    staging = Staging()
    if removed:
        staging.remove("old")
    add(staging, "old", 0, 1)
    assert outcome(staging, before, 2).sources == BEFORE
    staging.record(state("old", 5))  # more chunks than came
    result = outcome(staging, before, 2)
    assert (result.sources, result.replaced, result.live) == (BEFORE, set(), [])


def test_a_removed_source_is_gone(before: SourceTable) -> None:
    staging = Staging()
    staging.remove("old")
    result = outcome(staging, before, 0)
    assert (set(result.sources), result.replaced) == ({"bad"}, {"old"})


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_source_that_gives_no_text_any_more_loses_its_rows(before: SourceTable, status: str) -> None:
    staging = Staging()
    staging.record(state("old", 0, status=status))
    result = outcome(staging, before, 0)
    assert (result.sources["old"].status, result.replaced) == (status, {"old"})


def test_a_touched_source_keeps_its_rows(before: SourceTable) -> None:
    staging = Staging()
    staging.record(state("old", 3, mtime=9))
    result = outcome(staging, before, 0)
    assert (result.sources["old"].mtime_ns, result.replaced) == (9, set())
    staging.record(state("old", 4, mtime=9))  # rows that nobody added
    assert outcome(staging, before, 0).sources == BEFORE


def test_the_last_of_two_turns_counts(before: SourceTable) -> None:
    staging = Staging()
    add(staging, "new", 0, 1)
    staging.record(state("new", 2))
    add(staging, "other", 2)
    staging.record(state("other", 1))
    add(staging, "new", 3)
    staging.record(state("new", 1, mtime=7))
    result = outcome(staging, before, 4)
    assert (result.sources["new"].mtime_ns, result.live) == (7, [2, 3])


def test_a_source_may_come_in_parts(before: SourceTable) -> None:
    staging = Staging()
    staging.record(state("a", 3))
    add(staging, "a", 0, 1)
    add(staging, "b", 2)
    add(staging, "a", 3)
    assert outcome(staging, before, 4).live == [0, 1, 3]


def test_added_recorded_and_removed_is_removed(before: SourceTable) -> None:
    staging = Staging()
    add(staging, "old", 0)
    staging.record(state("old", 1))
    staging.remove("old")
    result = outcome(staging, before, 1)
    assert (set(result.sources), result.replaced, result.live) == ({"bad"}, {"old"}, [])


# The twin: sources by name, as objects.


@dataclass
class SlowStaging:
    spans: dict[str, list[int]] = field(default_factory=dict)
    recorded: dict[str, SourceState] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def add(self, source: str, start: int, end: int) -> None:
        for row in range(start, end):
            if self._finished(source):
                del self.spans[source], self.recorded[source]  # it was whole, and is brought in anew
            self.spans.setdefault(source, []).append(row)

    def record(self, known: SourceState) -> None:
        self.recorded[known.source] = known

    def remove(self, source: str) -> None:
        self.removed.add(source)
        self.recorded.pop(source, None)
        self.spans.pop(source, None)

    def outcome(self, before: Mapping[str, SourceState]) -> Outcome:
        sources, replaced, live = dict(before), set(), []
        for source in {*self.recorded, *self.removed, *self.spans}:
            known = self.recorded.get(source)
            if known is None:
                if source not in self.spans:
                    sources.pop(source, None)
                    replaced.add(source)
            elif known.status != "indexed" or known.chunks == 0:
                sources[source] = known
                replaced.add(source)
            elif self._finished(source):
                sources[source] = known
                replaced.add(source)
                live += self.spans[source]
            elif source not in self.spans and source not in self.removed and same_rows(before.get(source), known):
                sources[source] = known
        return Outcome(sources, replaced & set(before), sorted(live), sources != before)

    def _finished(self, source: str) -> bool:
        return source in self.recorded and 0 < len(self.spans.get(source, ())) == self.recorded[source].chunks


def same_rows(before: SourceState | None, now: SourceState) -> bool:
    return before is not None and before.status == "indexed" and before.chunks == now.chunks


NAMES = st.sampled_from(["old", "bad", "new", "a/b.md", "a%b", "a\udce9"])
STATES = st.builds(
    lambda name, chunks, mtime, status: replace(state(name, chunks, mtime=mtime, status=status), doc_id="d"),
    NAMES, st.integers(0, 4), st.integers(0, 2), st.sampled_from(["indexed", "indexed", "failed"]),
)  # fmt: skip
EVENTS = st.lists(st.one_of(st.tuples(NAMES, st.integers(1, 4)), STATES, NAMES), max_size=12)


@settings(deadline=None)
@given(st.lists(STATES, max_size=4), EVENTS)
def test_any_order_of_events_ends_as_in_the_twin(
    tmp_path_factory: pytest.TempPathFactory,
    states: list[SourceState],
    events: list[tuple[str, int] | SourceState | str],
) -> None:
    known = {one.source: one for one in states}
    staging, slow, rows = Staging(), SlowStaging(), 0
    for event in events:
        for target in (staging, slow):
            if isinstance(event, SourceState):
                target.record(event)
            elif isinstance(event, str):
                target.remove(event)
            else:
                target.add(event[0], rows, rows + event[1])
        rows += event[1] if isinstance(event, tuple) else 0
    assert outcome(staging, table_of(tmp_path_factory.mktemp("sources"), known), rows) == slow.outcome(known)


def test_a_source_brought_in_twice_has_the_rows_of_the_second_time(before: SourceTable) -> None:
    staging = Staging()
    add(staging, "new", 0)
    staging.record(state("new", 1))
    add(staging, "new", 1)  # as many as were recorded the first time, and not all that come
    assert outcome(staging, before, 2).live == []
    add(staging, "new", 2)
    staging.record(state("new", 2))
    result = outcome(staging, before, 3)
    assert (result.sources["new"].chunks, result.live) == (2, [1, 2])
