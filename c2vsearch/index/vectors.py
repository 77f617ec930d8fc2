"""A FAISS segment: the vectors of named shards, searched by inner product.

Rows are kept as float16, as in the shards, so the flat segment is exact for what is stored. FAISS files have
no checksum of their own and a damaged one can crash the process: whoever opens one has compared its hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.errors import CorruptFile
from c2vsearch.optional import require

VECTOR_SUFFIX = ".faiss"


def build_segment(path: Path, blocks: Iterable[NDArray[np.float16]], *, dim: int) -> None:
    """Write a segment over the rows of some shards, one shard in memory at a time beside the segment."""
    faiss = _faiss()
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for block in blocks:
        index.add(np.ascontiguousarray(block, dtype=np.float32))
    artifacts.write_atomically(path, lambda temporary: faiss.write_index(index, str(temporary)))


class VectorSegment:
    """One segment, loaded. ``path`` must have been verified against its recorded hash before."""

    def __init__(self, path: Path, *, dim: int, rows: int) -> None:
        self._faiss = _faiss()
        try:
            self._index: Any = self._faiss.read_index(str(path))
        except RuntimeError as error:
            raise CorruptFile(f"{path} cannot be read by FAISS: {str(error).splitlines()[0][:120]}") from error
        found = (self._index.d, self._index.ntotal, self._index.metric_type)
        if found != (dim, rows, self._faiss.METRIC_INNER_PRODUCT):
            raise CorruptFile(f"{path} holds {found[1]} rows of {found[0]}; expected {rows} rows of {dim}")

    def search(
        self, query: NDArray[np.float32], *, k: int, deleted: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest rows as (position, cosine), best first; equal scores in order of position.

        Deleted positions are left out before the search, so k rows come back whenever k are left.

        Shape: query (D,).
        """
        parameters = None
        k = min(k, self._index.ntotal)
        if deleted is not None and len(deleted):
            chosen = self._faiss.IDSelectorNot(self._faiss.IDSelectorBatch(deleted))
            parameters = self._faiss.SearchParameters(sel=chosen)
            k = min(k, self._index.ntotal - len(deleted))
        if k <= 0:
            return []
        threads = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(1)  # one query is bound by memory: more threads only wait for each other
        try:
            scores, positions = self._index.search(query[None, :], k, params=parameters)
        finally:
            self._faiss.omp_set_num_threads(threads)
        found = [
            (int(p), min(1.0, max(-1.0, float(s)))) for p, s in zip(positions[0], scores[0], strict=True) if p >= 0
        ]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows as they are stored. Shape: (len(positions), D)."""
        found: NDArray[np.float32] = self._index.reconstruct_batch(positions)
        return found


def _faiss() -> ModuleType:
    return require("faiss", extra="cpu", purpose="vector search")
