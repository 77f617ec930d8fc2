"""The exact nearest rows of many queries at once, a block of rows at a time. The twin is `index.exact`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Numbers = NDArray[np.int64]

ROWS_AT_ONCE = 16_384


def nearest_rows(
    queries: Scores, rows: Scores, *, k: int, without: Sequence[Collection[int]], block: int = ROWS_AT_ONCE
) -> list[tuple[Numbers, Scores]]:
    """The k rows of highest inner product of each query, best first; equal scores in order of the rows.

    No more than (Q, block) scores are in memory at once, so ``rows`` may be mapped from a file.

    Args:
        queries: Shape (Q, D).
        rows: Shape (N, D).
        k: Rows to find, at most.
        without: For each query, rows that do not count.
        block: Rows compared at once.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> [(numbers, scores)] = nearest_rows(rows[:1] + rows[1:2] / 2, rows, k=2, without=[{0}])
    >>> numbers.tolist(), scores.tolist()
    ([1, 2], [0.5, 0.0])
    """
    best = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))] * len(queries)
    left_out = [np.array(sorted(numbers), dtype=np.int64) for numbers in without]
    for start in range(0, len(rows), block):
        scores = queries @ rows[start : start + block].T
        for query, numbers in enumerate(left_out):
            here = numbers[(numbers >= start) & (numbers < start + block)] - start
            scores[query, here] = -np.inf
            best[query] = _merged(best[query], scores[query], start, k)
    return best


def _merged(best: tuple[Numbers, Scores], scores: Scores, start: int, k: int) -> tuple[Numbers, Scores]:
    """The k best of those found and of a block. Later rows lose to earlier ones of the same score."""
    worst = best[1][-1] if len(best[1]) == k else -np.inf
    found = np.flatnonzero(scores > worst)
    if k < 1 or not len(found):
        return best
    if len(found) > k:
        found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
    numbers, values = np.concatenate([best[0], found + start]), np.concatenate([best[1], scores[found]])
    order = np.lexsort((numbers, -values))[:k]
    return numbers[order], values[order]
