"""Exact search by brute force: the reference every vector segment is compared with by value."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def exact_search(
    query: NDArray[np.float32], blocks: Iterable[NDArray[np.float16]], *, k: int, deleted: frozenset[int] = frozenset()
) -> list[tuple[int, float]]:
    """The k rows of highest inner product as (position, score); equal scores in order of position.

    Args:
        query: Shape (D,).
        blocks: The rows in pieces, so that they never have to fit in memory at once. Shape: (N_i, D).
        k: Rows to return, at most.
        deleted: Positions that do not count.

    >>> rows = np.eye(3, dtype=np.float16)
    >>> exact_search(np.array([0.0, 0.6, 0.8], dtype=np.float32), [rows], k=2)
    [(2, 0.800000011920929), (1, 0.6000000238418579)]
    """
    best: list[tuple[int, float]] = []
    offset = 0
    for block in blocks:
        scores = block.astype(np.float32) @ query
        rows = [(offset + row, float(score)) for row, score in enumerate(scores) if offset + row not in deleted]
        best = sorted(best + rows, key=lambda item: (-item[1], item[0]))[:k]
        offset += len(block)
    return best
