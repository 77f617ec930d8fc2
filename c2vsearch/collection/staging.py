"""What one run has brought in so far: rows, and what was said of the sources they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection.manifest import SourceState


@dataclass(slots=True)
class Outcome:
    """What a commit is to do: the sources of the version, those whose earlier rows go, the new rows that stay."""

    sources: dict[str, SourceState]
    replaced: set[str]
    live: NDArray[np.bool_]


@dataclass(slots=True)
class Staging:
    """Rows are numbered in the order they were added; a source owns spans of those numbers."""

    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    recorded: dict[str, SourceState] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def add(self, source: str, row: int) -> None:
        """One more row of a source, and its number."""
        if source in self.recorded and self._finished(source):
            # It was whole and is brought in anew: what was said of it does not hold for the rows that come now.
            del self.spans[source], self.recorded[source]
        spans = self.spans.setdefault(source, [])
        if spans and spans[-1][1] == row:
            spans[-1] = (spans[-1][0], row + 1)
        else:
            spans.append((row, row + 1))

    def record(self, state: SourceState) -> None:
        """How a source stands."""
        self.recorded[state.source] = state

    def remove(self, source: str) -> None:
        """Earlier rows of the source go, here and in the version before."""
        self.removed.add(source)
        self.recorded.pop(source, None)
        self.spans.pop(source, None)

    def outcome(self, before: Mapping[str, SourceState], *, rows: int) -> Outcome:
        """What came of it, given the sources of the version before and how many rows were added in all.

        A source of which not every chunk was added and recorded did not get finished: it stays as it was.
        """
        result = Outcome(dict(before), set(), np.zeros(rows, dtype=np.bool_))
        for source in {*self.recorded, *self.removed, *self.spans}:
            state = self.recorded.get(source)
            if state is None:
                if source not in self.spans:
                    result.sources.pop(source, None)
                    result.replaced.add(source)
            elif state.status != "indexed" or state.chunks == 0:
                result.sources[source] = state
                result.replaced.add(source)
            elif self._finished(source):
                result.sources[source] = state
                result.replaced.add(source)
                for start, end in self.spans[source]:
                    result.live[start:end] = True
            elif source not in self.spans and source not in self.removed and _same_rows(before.get(source), state):
                result.sources[source] = state
        return result

    def _finished(self, source: str) -> bool:
        count = sum(end - start for start, end in self.spans.get(source, ()))
        return count > 0 and count == self.recorded[source].chunks


def _same_rows(before: SourceState | None, now: SourceState) -> bool:
    return before is not None and before.status == "indexed" and before.chunks == now.chunks
