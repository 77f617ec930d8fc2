"""A segment searched through candidates: a compact index names rows, and the rows themselves settle the order.

Scores are those of exact search over the same rows; what can be missing is a row that was no candidate. Few rows that
count are all compared, so that a filter never gives fewer than there are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.calibration import AT, MANY
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import READ_ROWS, RowFile

# So few rows that count are all compared: that takes about as long as looking for candidates among many.
COMPARE_ALL = 5_000


class ApproximateSegment:
    """A segment of N rows; it answers like `c2vsearch.index.vectors.VectorSegment`. Threads may share it."""

    def __init__(self, candidates: CandidateIndex, rows: RowFile, *, few: Setting, many: Setting) -> None:
        self._candidates, self._rows, self._few, self._many = candidates, rows, few, many

    def search(
        self, query: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest rows as (position, cosine), best first; equal scores in order of position.

        Always k, where so many count. Arguments as in `VectorSegment.search`.
        """
        total = len(self._rows)
        there = total if live is None else int(np.count_nonzero(live))
        k = min(k, there)
        if k <= 0:
            return []
        if there <= max(COMPARE_ALL, k):
            return self._compared(query, _counting(live, total), k)
        depth = min(there, self._few.depth if k <= AT else max(self._many.depth, 2 * k))
        for effort in self._efforts(k * total / there):
            [found] = self._candidates.search(query[None], depth=depth, effort=effort, live=live)
            found = found[found >= 0]
            if len(found) >= k:
                return self._compared(query, found, k)
        return self._compared(query, _counting(live, total), k)

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        return self._rows.take(positions)

    def close(self) -> None:
        """Let go of the file of rows."""
        self._rows.close()

    def _efforts(self, k: float) -> list[int]:
        """The effort for the k nearest of all rows, and what to try when that gave too few.

        The ten nearest of a tenth of the rows are about the hundred nearest of all: they take as much looking.
        """
        most = self._candidates.efforts[-1]
        setting = self._few if k <= AT else self._many
        wanted = self._candidates.work(setting.effort, setting.depth) * max(1.0, k / MANY)
        first = min(most, math.ceil(wanted))
        return sorted({first, min(most, 4 * first), most})

    def _compared(self, query: NDArray[np.float32], positions: NDArray[np.int64], k: int) -> list[tuple[int, float]]:
        """The best of some rows, by their own numbers."""
        positions = np.sort(positions)
        scores = np.concatenate(
            [
                self._rows.take(positions[start : start + READ_ROWS]) @ query
                for start in range(0, len(positions), READ_ROWS)
            ]
        ).clip(-1.0, 1.0)
        order = np.argsort(-scores, kind="stable")[:k]
        return list(zip(positions[order].tolist(), scores[order].tolist(), strict=True))


def _counting(live: NDArray[np.bool_] | None, total: int) -> NDArray[np.int64]:
    return np.arange(total) if live is None else np.flatnonzero(live)
