"""A flat FAISS segment: the vectors of named shards, all of them compared with a query.

Rows are kept as float16, as in the shards, so the segment is exact for what is stored. FAISS files have
no checksum of their own and a damaged one can crash the process: whoever opens one has compared its hash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile
from c2vsearch.index.engine import faiss_module, threads


class VectorSegment:
    """One segment, loaded. ``path`` must have been verified against its recorded hash before."""

    def __init__(self, path: Path, *, dim: int, rows: int) -> None:
        self._faiss = faiss_module()
        try:
            # Mapped where FAISS can: nothing is copied, and what is not searched takes no memory.
            self._index: Any = self._faiss.read_index(str(path), getattr(self._faiss, "IO_FLAG_MMAP_IFC", 0))
        except RuntimeError as error:
            raise CorruptFile(f"{path} cannot be read by FAISS: {str(error).splitlines()[0][:120]}") from error
        found = (self._index.d, self._index.ntotal, self._index.metric_type)
        if found != (dim, rows, self._faiss.METRIC_INNER_PRODUCT):
            raise CorruptFile(f"{path} holds {found[1]} rows of {found[0]}; expected {rows} rows of {dim}")

    def search(
        self, query: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest rows as (position, cosine), best first; equal scores in order of position.

        Rows that are not live are left out before the search, so k rows come back whenever k are left.

        Args:
            query: A unit row. Shape: (D,).
            k: Rows to return, at most.
            live: Whether each row counts; None when all do. Shape: (N,).
        """
        there = self._index.ntotal if live is None else int(np.count_nonzero(live))
        k = min(k, there)
        if k <= 0:
            return []
        # One more than asked for shows whether the last place is shared; then all that share it are compared.
        depth = min(k + 1, there)
        scores, positions = self._top(query, depth, live)
        while depth < there and scores[-1] == scores[k - 1]:
            depth = min(2 * depth, there)
            scores, positions = self._top(query, depth, live)
        order = np.lexsort((positions, -scores))[:k]
        clipped = np.clip(scores[order], -1.0, 1.0)
        return list(zip(positions[order].tolist(), clipped.tolist(), strict=True))

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        found: NDArray[np.float32] = self._index.reconstruct_batch(positions)
        return found

    def _top(
        self, query: NDArray[np.float32], depth: int, live: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        parameters = None
        if live is not None:
            bits = np.packbits(live, bitorder="little")
            parameters = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBitmap(bits))
        with threads(1):  # one query is bound by memory: more threads only wait for each other
            scores, positions = self._index.search(query[None, :], depth, params=parameters)
        return scores[0], positions[0]
