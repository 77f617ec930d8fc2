"""A segment of which all rows lie on GPUs: it is searched exactly there, and by the CPU for what a GPU cannot do.

GPUs of FAISS do not know which rows count (most kinds take no selector, some ignore it): more are asked for, and those
that do not count are left out. Where that would take more than they give, the CPU answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index import approximate
from c2vsearch.index.approximate import ApproximateSegment, Hits
from c2vsearch.index.cosines import floors, half_slack, nearest_of
from c2vsearch.index.gpu_rows import MOST_DEPTH, GpuRows
from c2vsearch.index.scan import passes
from c2vsearch.index.vectors import VectorSegment

# Rows asked for beyond those wanted: a share of them, and some, because scores as float16 lie a little off.
SPARE_SHARE, SPARE = 1.25, 32


class GpuSegment:
    """It answers like the segment of the CPU that it stands before. Threads may share it.

    Args:
        cpu: The same rows on the CPU.
        gpu: The rows on GPUs.
    """

    def __init__(self, cpu: VectorSegment | ApproximateSegment, gpu: GpuRows) -> None:
        self.cpu, self._gpu = cpu, gpu

    def __len__(self) -> int:
        return len(self.cpu)

    def search_batch(
        self, queries: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None
    ) -> list[Hits]:
        """As `VectorSegment.search_batch`: exact, but for what is left to a CPU's segment that is not."""
        there = len(self) if live is None else int(np.count_nonzero(live))
        depth = math.ceil((SPARE_SHARE * k + SPARE) * len(self) / max(there, 1))
        if k <= 0 or there <= max(approximate.COMPARE_ALL, k) or min(depth, len(self)) > MOST_DEPTH:
            return self.cpu.search_batch(queries, k=k, live=live)
        return [hits for part in passes(queries, depth) for hits in self._answers(part, k, live, depth)]

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        return self.cpu.rows(positions)

    def _answers(
        self, queries: NDArray[np.float32], k: int, live: NDArray[np.bool_] | None, depth: int
    ) -> Iterator[Hits]:
        """From a first look, from a deeper one for those it was not enough for, else from the CPU."""
        found = self._near(queries, k, live, depth)
        again = [number for number, near in enumerate(found) if near is None]
        if again:
            deeper = self._near(queries[again], k, live, MOST_DEPTH)
            found = [near if near is not None else deeper.pop(0) for near in found]
        left = [number for number, near in enumerate(found) if near is None]
        others = iter(self.cpu.search_batch(queries[left], k=k, live=live) if left else ())
        for query, near in zip(queries, found, strict=True):
            yield next(others) if near is None else nearest_of(near, query, k=k, take=self.rows)

    def _near(
        self, queries: NDArray[np.float32], k: int, live: NDArray[np.bool_] | None, depth: int
    ) -> list[NDArray[np.int64] | None]:
        """For each query what may be among its nearest; None where something may that was not seen."""
        scores, positions = self._gpu.search(queries, min(depth, len(self)))
        all_seen = depth >= len(self)
        return [
            _among(row, places, k, live, slack=slack, all_seen=all_seen)
            for row, places, slack in zip(scores, positions, half_slack(queries).tolist(), strict=True)
        ]


def _among(
    scores: NDArray[np.float32], positions: NDArray[np.int64], k: int, live: NDArray[np.bool_] | None, *,
    slack: float, all_seen: bool,
) -> NDArray[np.int64] | None:  # fmt: skip
    """What of one query's finds may be among its k nearest that count; None where they do not tell."""
    counts = positions >= 0 if live is None else (positions >= 0) & live[positions]
    kept, places = scores[counts], positions[counts]
    if len(kept) < k:
        return None
    floor = floors(kept[k - 1 : k], np.array([slack]))[0]
    if not all_seen and scores[-1] >= floor:
        return None
    near: NDArray[np.int64] = places[kept >= floor]
    return near
