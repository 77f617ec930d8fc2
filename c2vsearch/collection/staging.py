"""What one run has brought in so far: rows, and what was said of the sources they belong to.

It is kept as it came, packed, and looked at when all of it is there: sorted by name, beside the table of the version
before, which is sorted in the same way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection.manifest import SourceState
from c2vsearch.collection.sources import SourceTable, stored_name
from c2vsearch.packed import PackedSorter
from c2vsearch.records import FileReport
from c2vsearch.shards.text import decode_source, encode_source

_ROWS, _STATE, _REMOVED = "rows", "state", "removed"
_NAME = itemgetter(0)
_STATE_FIELDS = attrgetter(*(field.name for field in fields(SourceState) if field.name != "refused"))
_REPORT_FIELDS = attrgetter(*(field.name for field in fields(FileReport)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a commit is to do.

    ``replaced`` says of each row of the table of sources before whether the earlier rows of that source go, ``live`` of
    each row added whether it stays, ``changed`` whether any source stands otherwise than before.
    """

    replaced: NDArray[np.bool_]
    live: NDArray[np.bool_]
    changed: bool
    sources: Callable[[], Iterator[SourceState]]
    """The sources of the next version, as its table has them in order."""


class Staging:
    """Rows are numbered in the order they were added; a source owns spans of those numbers."""

    def __init__(self) -> None:
        self._said = PackedSorter(key=_NAME)

    def add(self, source: str, start: int, end: int) -> None:
        """More rows of a source: their numbers, from ``start`` up to ``end``."""
        self._said.append((encode_source(source), _ROWS, (start, end)))

    def record(self, state: SourceState) -> None:
        """How a source stands."""
        said = (*_STATE_FIELDS(state), tuple(map(_REPORT_FIELDS, state.refused)))
        self._said.append((stored_name(state), _STATE, said))

    def remove(self, source: str) -> None:
        """Earlier rows of the source go, here and in the version before."""
        self._said.append((encode_source(source), _REMOVED, ()))

    def outcome(self, before: SourceTable, *, rows: int) -> Outcome:
        """What came of it, given the sources of the version before and how many rows were added in all.

        A source of which not every chunk was added and recorded did not get finished: it stays as it was.
        """
        replaced, live, changed = np.zeros(len(before), dtype=np.bool_), np.zeros(rows, dtype=np.bool_), False
        for name, turn in self._turns():
            row = before.row(decode_source(name))
            known = None if row is None else before.state(row)
            changed |= turn.next(known) != known
            if row is not None:
                replaced[row] = turn.replaces
            for start, end in turn.live:
                live[start:end] = True
        return Outcome(replaced, live, changed, lambda: self._sources(before))

    def _sources(self, before: SourceTable) -> Iterator[SourceState]:
        old = ((stored_name(state), state) for state in before.values())
        new = ((name, turn.next(before.get(decode_source(name)))) for name, turn in self._turns())
        for _, states in groupby(heapq.merge(old, new, key=_NAME), key=_NAME):
            *_, (_, state) = states  # what is new comes behind what is old
            if state is not None:
                yield state

    def _turns(self) -> Iterator[tuple[str, _Turn]]:
        """What was said of each source, in order of their names."""
        for name, events in groupby(self._said, key=_NAME):
            turn = _Turn()
            for _, kind, said in events:
                turn.take(kind, said)
            yield name, turn


@dataclass(slots=True)
class _Turn:
    """One source in a run: the spans it owns, how it was recorded, and whether it was removed."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    state: SourceState | None = None
    removed: bool = False

    def take(self, kind: str, said: tuple[Any, ...]) -> None:
        if kind == _ROWS:
            for row in range(*said):
                self._add(row)
        elif kind == _STATE:
            refused = tuple(FileReport(*report) for report in said[-1])
            self.state = SourceState(*(*said[:-1], refused))
        else:
            self.spans, self.state, self.removed = [], None, True

    def _add(self, row: int) -> None:
        if self.finished:
            # It was whole and is brought in anew: what was said of it does not hold for the rows that come now.
            self.spans, self.state = [], None
        if self.spans and self.spans[-1][1] == row:
            self.spans[-1] = (self.spans[-1][0], row + 1)
        else:
            self.spans.append((row, row + 1))

    @property
    def finished(self) -> bool:
        """Whether exactly as many rows were added as it says."""
        count = sum(end - start for start, end in self.spans)
        return self.state is not None and self.state.chunks == count > 0

    @property
    def textless(self) -> bool:
        """Whether it is recorded as a source without rows."""
        return self.state is not None and (self.state.status != "indexed" or self.state.chunks == 0)

    @property
    def replaces(self) -> bool:
        """Whether the rows it had before go."""
        gone = self.state is None and not self.spans
        return gone or self.textless or self.finished

    @property
    def live(self) -> list[tuple[int, int]]:
        """The spans of its rows that stay."""
        return self.spans if self.finished and not self.textless else []

    def next(self, before: SourceState | None) -> SourceState | None:
        """How it stands after the run; None when it is gone."""
        touched = not self.spans and not self.removed and _same_rows(before, self.state)
        return self.state if self.replaces or touched else before


def _same_rows(before: SourceState | None, now: SourceState | None) -> bool:
    if before is None or now is None:
        return False
    return before.status == "indexed" and before.chunks == now.chunks
