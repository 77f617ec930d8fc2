"""All rows of a segment as float16 on GPUs, every one of them compared with a query there.

Rows are shared out over the devices, so that each compares its part with all queries. A device compares the queries as
float16 too: its scores say which rows may be near, and the rows on the disk settle the order.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.engine import faiss_module
from c2vsearch.index.gpu import WORK_BYTES, resources, searching

# FAISS's GPUs give no more rows to a query than this (GPU_MAX_SELECTION_K), and look into no more lists.
MOST_DEPTH = 2048
# An index that grows is copied, so each is given its rows at once: so many bytes, twice that in memory meanwhile.
PIECE_BYTES = 1 << 30
# FAISS lets one thread at a time search on a device.
DEVICES = threading.Lock()

Found = tuple[NDArray[np.float32], NDArray[np.int64]]


class GpuRows:
    """N rows on some GPUs. Threads may share it.

    Args:
        parts: All rows in order. Shape: (N_i, D) each.
        rows: N.
        dim: D.
        gpus: Their numbers.
    """

    def __init__(self, parts: Iterable[NDArray[np.float16]], *, rows: int, dim: int, gpus: Sequence[int]) -> None:
        self._pieces: dict[int, list[tuple[int, Any]]] = {gpu: [] for gpu in gpus}
        starts = _starts(rows, dim, len(gpus))
        for (start, share), piece in zip(starts, _regrouped(parts, starts, rows), strict=True):
            index = _flat16(dim, gpus[share])
            index.add(piece)
            self._pieces[gpus[share]].append((start, index))

    def search(self, queries: NDArray[np.float32], depth: int) -> Found:
        """The nearest rows of each query as the devices see it, best first: scores, positions (-1: no more).

        Shape: queries (Q, D), result (Q, depth) each.
        """
        with DEVICES, searching(), ThreadPoolExecutor(len(self._pieces)) as pool:
            found = list(pool.map(lambda pieces: _of_pieces(pieces, queries, depth), self._pieces.values()))
        return best_of(found, depth)


def rows_bytes(rows: int, dim: int, gpus: int) -> int:
    """What `GpuRows` takes of each of some devices, with the norms that FAISS keeps, and the work.

    >>> rows_bytes(10**7, 768, 1) // 10**9, rows_bytes(10**7, 768, 4) // 10**9
    (17, 5)
    """
    share = -(-rows // max(gpus, 1))
    return (2 * dim + 4) * share + WORK_BYTES


def best_of(found: Sequence[Found], depth: int) -> Found:
    """The best of what several found, for each query. Shape: (Q, n_i) each, gives (Q, depth)."""
    scores = np.concatenate([part for part, _ in found], axis=1)
    positions = np.concatenate([part for _, part in found], axis=1)
    scores = np.where(positions >= 0, scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def _of_pieces(pieces: Sequence[tuple[int, Any]], queries: NDArray[np.float32], depth: int) -> Found:
    found = []
    for start, index in pieces:
        scores, positions = index.search(queries, min(depth, int(index.ntotal)))
        found.append((scores, np.where(positions >= 0, positions + start, -1)))
    nothing = np.empty((len(queries), 0), dtype=np.float32), np.empty((len(queries), 0), dtype=np.int64)
    return best_of(found or [nothing], depth)


def _flat16(dim: int, gpu: int) -> Any:
    faiss = faiss_module()
    config = faiss.GpuIndexFlatConfig()
    config.device, config.useFloat16 = gpu, True
    return faiss.GpuIndexFlat(resources(gpu), dim, faiss.METRIC_INNER_PRODUCT, config)


def _starts(rows: int, dim: int, shares: int) -> list[tuple[int, int]]:
    """Where each piece begins, and whose share it is of."""
    size = max(1, PIECE_BYTES // (2 * dim))
    ends = [rows * number // shares for number in range(shares + 1)]
    return [
        (start, share)
        for share, (first, end) in enumerate(zip(ends[:-1], ends[1:], strict=True))
        for start in range(first, end, size)
    ]


def _regrouped(
    parts: Iterable[NDArray[np.float16]], starts: Sequence[tuple[int, int]], rows: int
) -> Iterator[NDArray[np.float32]]:
    """The rows again, as float32, cut where the pieces begin."""
    given = iter(parts)
    rest = np.empty((0, 0), dtype=np.float16)
    for (start, _), end in zip(starts, [*(start for start, _ in starts[1:]), rows], strict=True):
        piece: NDArray[np.float32] | None = None
        filled = 0
        while filled < end - start:
            if not len(rest):
                rest = next(given)
            if piece is None:
                piece = np.empty((end - start, rest.shape[1]), dtype=np.float32)
            taken = min(len(rest), end - start - filled)
            piece[filled : filled + taken] = rest[:taken]
            rest, filled = rest[taken:], filled + taken
        assert piece is not None  # no piece is empty
        yield piece
