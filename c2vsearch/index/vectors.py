"""A flat FAISS segment: the vectors of named shards, all of them compared with a query.

Rows are kept as float16, as in the shards, so the segment is exact for what is stored. FAISS files have
no checksum of their own and a damaged one can crash the process: whoever opens one has compared its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile
from c2vsearch.index.cosines import READ_ROWS, floors, nearest_of, slack
from c2vsearch.index.engine import faiss_module, threads
from c2vsearch.index.scan import Block, ahead, passes, scan

# From so many queries on a product of matrices is quicker than FAISS's scan, on a busy machine as well
# (benchmarks/batch_search.py).
MANY_QUERIES = 128
BLOCK_ROWS = 8192


class VectorSegment:
    """One segment, loaded. ``path`` must have been verified against its recorded hash before. Threads may share it."""

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
        # The same bytes as an array: they stand last in the file (`c2vsearch.index.rows`).
        start = path.stat().st_size - 2 * dim * rows
        self._stored = np.memmap(path, dtype="<f2", mode="r", offset=start, shape=(rows, dim)) if rows else None

    def __len__(self) -> int:
        return int(self._index.ntotal)

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
        return self.search_batch(query[None], k=k, live=live)[0]

    def search_batch(
        self, queries: NDArray[np.float32], *, k: int, live: NDArray[np.bool_] | None = None
    ) -> list[list[tuple[int, float]]]:
        """What `search` gives for each query, to the last digit. Shape: queries (Q, D)."""
        there = len(self) if live is None else int(np.count_nonzero(live))
        k = min(k, there)
        if k <= 0:
            return [[] for _ in queries]
        near = self._scanned if len(queries) >= MANY_QUERIES and k < there else self._asked
        return [
            nearest_of(positions, query, k=k, take=self.rows)
            for part in passes(queries, k)
            for query, positions in zip(part, near(part, k, there, live), strict=True)
        ]

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        stored = self._stored if self._stored is not None else np.empty((0, self._index.d), dtype=np.float16)
        return stored[positions].astype(np.float32)

    def parts(self, rows: int = READ_ROWS) -> Iterator[NDArray[np.float16]]:
        """All rows in order, ``rows`` at a time. Shape: (<= rows, D)."""
        for first in range(0, len(self), rows):
            assert self._stored is not None
            yield self._stored[first : first + rows]

    def _asked(
        self, queries: NDArray[np.float32], k: int, there: int, live: NDArray[np.bool_] | None
    ) -> Iterator[NDArray[np.int64]]:
        """Rows that may be the nearest, as FAISS finds them."""
        parameters = self._parameters(live)
        first = min(there, k + k // 8 + 32)
        # One query is bound by memory: more threads only wait for each other.
        with threads(1 if len(queries) == 1 else 0):
            all_scores, all_positions = self._index.search(queries, first, params=parameters)
        for query, scores, positions, most in zip(queries, all_scores, all_positions, slack(queries), strict=True):
            depth, floor = first, floors(scores[k - 1], most)
            while depth < there and scores[-1] >= floor:  # there may be more as near as the last
                depth = min(2 * depth, there)
                with threads(1):
                    (scores,), (positions,) = self._index.search(query[None], depth, params=parameters)
            yield positions[scores >= floor]

    def _scanned(
        self, queries: NDArray[np.float32], k: int, there: int, live: NDArray[np.bool_] | None
    ) -> list[NDArray[np.int64]]:
        """The same by a product of matrices."""
        return scan(queries, ahead(self._blocks(live)), k=k)

    def _blocks(self, live: NDArray[np.bool_] | None) -> Iterator[Block]:
        """The rows that count, a block at a time; where few of a block do, no others are looked at."""
        for first in range(0, len(self), BLOCK_ROWS):
            count = min(BLOCK_ROWS, len(self) - first)
            inside = np.arange(count) if live is None else np.flatnonzero(live[first : first + count])
            positions = (first + inside).astype(np.int64)
            if len(inside) < count // 4:
                yield positions, self.rows(positions)
            else:
                with threads(1):  # the threads of FAISS would still spin when those of the product start
                    rows = self._index.reconstruct_n(first, count)
                yield positions, rows if len(inside) == count else rows[inside]

    def _parameters(self, live: NDArray[np.bool_] | None) -> Any:
        if live is None:
            return None
        return self._faiss.SearchParameters(sel=self._faiss.IDSelectorBitmap(np.packbits(live, bitorder="little")))
