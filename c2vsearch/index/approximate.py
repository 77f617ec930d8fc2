"""A segment searched through candidates: a compact index names rows, and the rows themselves settle the order.

Scores are those of exact search over the same rows; what can be missing is a row that was no candidate. Few rows that
count are all compared, so that a filter never gives fewer than there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.calibration import AT, MANY
from c2vsearch.index.cosines import READ_ROWS, nearest_of
from c2vsearch.index.engine import in_threads
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile
from c2vsearch.index.scan import Block, passes, scan

# So few rows that count are all compared: that takes about as long as looking for candidates among many.
COMPARE_ALL = 5_000

Hits = list[tuple[int, float]]


class Candidates(Protocol):
    """What names rows that may be near: `c2vsearch.index.candidates.CandidateIndex`, or its like on GPUs."""

    @property
    def efforts(self) -> tuple[int, ...]: ...  # noqa: D102

    def work(self, effort: int, depth: int) -> int: ...  # noqa: D102

    def ask(  # noqa: D102
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]: ...


class ApproximateSegment:
    """A segment of N rows; it answers like `c2vsearch.index.vectors.VectorSegment`. Threads may share it."""

    def __init__(self, candidates: Candidates, rows: RowFile, *, few: Setting, many: Setting) -> None:
        self.candidates = candidates
        self._rows, self._few, self._many = rows, few, many

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, query: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None) -> Hits:
        """The k nearest rows as (position, cosine), best first; equal scores in order of position.

        Always k, where so many count. Arguments as in `VectorSegment.search`.
        """
        return self.search_batch(query[None], k=k, live=live)[0]

    def search_batch(
        self, queries: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None
    ) -> list[Hits]:
        """What `search` gives for each query, to the last digit. Shape: queries (Q, D)."""
        there = len(self) if live is None else int(np.count_nonzero(live))
        k = min(k, there)
        if k <= 0:
            return [[] for _ in queries]
        if there <= max(COMPARE_ALL, k):
            return self._all_compared(queries, k, live)
        found = self._found(queries, k, there, live)
        missed = [number for number, positions in enumerate(found) if positions is None]
        compared = iter(self._all_compared(queries[missed], k, live) if missed else ())
        numbered = [(number, positions) for number, positions in enumerate(found) if positions is not None]
        settled = iter(in_threads(lambda part: [self._nearest(queries[at], among, k) for at, among in part], numbered))
        return [next(compared if positions is None else settled) for positions in found]

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        return self._rows.take(positions)

    def parts(self, rows: int = READ_ROWS) -> Iterator[NDArray[np.float16]]:
        """All rows in order, ``rows`` at a time. Shape: (<= rows, D)."""
        return self._rows.parts(rows)

    def with_candidates(self, candidates: Candidates) -> ApproximateSegment:
        """The same segment, with another to name candidates."""
        return ApproximateSegment(candidates, self._rows, few=self._few, many=self._many)

    def close(self) -> None:
        """Let go of the file of rows."""
        self._rows.close()

    def _found(
        self, queries: NDArray[np.float32], k: int, there: int, live: NDArray[np.bool_] | None
    ) -> Sequence[NDArray[np.int64] | None]:
        """Candidates of each query, looked for ever harder until there are k; None where there never are."""
        depth = min(there, self._few.depth if k <= AT else max(self._many.depth, 2 * k))
        found: list[NDArray[np.int64] | None] = [None] * len(queries)
        waiting = np.arange(len(queries))
        for effort in self._efforts(k * len(self) / there):
            named = self.candidates.ask(queries[waiting], depth=depth, effort=effort, live=live)
            enough = np.count_nonzero(named >= 0, axis=1) >= k
            for number, positions in zip(waiting[enough].tolist(), named[enough], strict=True):
                found[number] = positions[positions >= 0]
            waiting = waiting[~enough]
            if not len(waiting):
                break
        return found

    def _efforts(self, k: float) -> list[int]:
        """The effort for the k nearest of all rows, and what to try when that gave too few.

        The ten nearest of a tenth of the rows are about the hundred nearest of all: they take as much looking.
        """
        most = self.candidates.efforts[-1]
        setting = self._few if k <= AT else self._many
        wanted = self.candidates.work(setting.effort, setting.depth) * max(1.0, k / MANY)
        first = min(most, math.ceil(wanted))
        return sorted({first, min(most, 4 * first), most})

    def _all_compared(self, queries: NDArray[np.float32], k: int, live: NDArray[np.bool_] | None) -> list[Hits]:
        """The best of all rows that count."""
        positions = np.arange(len(self)) if live is None else np.flatnonzero(live)
        if k == len(positions):
            return [self._nearest(query, positions, k) for query in queries]
        return [
            self._nearest(query, near, k)
            for part in passes(queries, k)
            for query, near in zip(part, scan(part, self._blocks(positions), k=k), strict=True)
        ]

    def _blocks(self, positions: NDArray[np.int64]) -> Iterator[Block]:
        for start in range(0, len(positions), READ_ROWS):
            part = positions[start : start + READ_ROWS]
            yield part, self._rows.take(part)

    def _nearest(self, query: NDArray[np.float32], positions: NDArray[np.int64], k: int) -> Hits:
        """The best of some rows, by their own numbers."""
        return nearest_of(positions, query, k=k, take=self._rows.take)
