"""Many queries and all rows: a product of matrices, block by block, that says which rows may be among the nearest.

Several times as quick as asking one query after the other when there are hundreds: a block of rows is made float32 once
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.cosines import floors, slack

# Queries of one pass over the rows: what is found of a block is a matrix of so many lines.
MOST_QUERIES = 1024
# Rows kept of all queries of a pass; more are fewer queries.
MOST_KEPT = 2_000_000

Block = tuple[NDArray[np.int64], NDArray[np.float32]]


def passes(queries: NDArray[np.float32], k: int) -> Iterator[NDArray[np.float32]]:
    """The queries in parts that take a bounded memory. Shape: (<= 1024, D) each."""
    size = min(MOST_QUERIES, max(1, MOST_KEPT // max(k, 1)))
    for start in range(0, len(queries), size):
        yield queries[start : start + size]


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, the next one made while the last one is looked at.

    >>> list(ahead(iter([])))
    []
    """
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


def scan(queries: NDArray[np.float32], blocks: Iterable[Block], *, k: int) -> list[NDArray[np.int64]]:
    """For each query the positions of its k nearest rows, and of a few more that come near; in no order.

    Args:
        queries: Shape: (Q, D).
        blocks: Positions and rows. Shapes: (n,), (n, D).
        k: At least 1.
    """
    kept = _Kept(queries, k)
    for positions, rows in blocks:
        if len(positions):
            kept.add(positions, queries @ rows.T)
    return kept.positions()


class _Kept:
    """What may still be among the k nearest of each query."""

    def __init__(self, queries: NDArray[np.float32], k: int) -> None:
        self._k, self._slack = k, slack(queries)
        self._floors = np.full(len(queries), -np.inf)
        nothing = np.empty(0, dtype=np.int64)
        self._found = [(nothing, nothing, np.empty(0, dtype=np.float32))]
        self._count, self._limit = 0, 4 * k * len(queries)

    def add(self, positions: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take what is near enough. Shapes: (n,), (Q, n)."""
        if len(positions) >= self._k and np.isneginf(self._floors).any():
            self._raise(-np.partition(-scores, self._k - 1, axis=1)[:, self._k - 1])
        query, place = np.nonzero(scores >= self._floors[:, None].astype(np.float32))
        self._found.append((query, positions[place], scores[query, place]))
        self._count += len(query)
        if self._count > self._limit:
            self._compact()

    def positions(self) -> list[NDArray[np.int64]]:
        """What is left, for each query."""
        query, positions, _ = self._compact()
        return np.split(positions, np.searchsorted(query, np.arange(1, len(self._floors))))

    def _compact(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Sort by query and score, and drop what is too far behind."""
        query, positions, scores = (np.concatenate(part) for part in zip(*self._found, strict=True))
        order = np.lexsort((-scores, query))
        query, positions, scores = query[order], positions[order], scores[order]
        count = np.bincount(query, minlength=len(self._floors))
        full = np.flatnonzero(count >= self._k)
        kth = np.full(len(count), -np.inf)
        kth[full] = scores[(np.cumsum(count) - count)[full] + self._k - 1]
        self._raise(kth)
        near = scores >= self._floors[query].astype(np.float32)
        self._found = [(query[near], positions[near], scores[near])]
        self._count = int(np.count_nonzero(near))
        self._limit = 2 * self._count + 4 * self._k * len(self._floors)
        return self._found[0]

    def _raise(self, kth: NDArray[np.floating]) -> None:
        self._floors = np.maximum(self._floors, floors(kth, self._slack))
