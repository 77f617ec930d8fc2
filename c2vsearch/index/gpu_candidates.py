"""Candidates named by GPUs: lists and graphs that FAISS has there, copied from the index of the CPU.

Those are `IVF...,Flat`, `IVF...,SQ...`, `IVF...,PQ...` with codes of a byte, and `CAGRA...`. GPUs do not know which
rows count: more are asked for, and those that do not count are left out; the CPU is asked where that does not do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.engine import faiss_module
from c2vsearch.index.gpu import WORK_BYTES, graph_bytes, resources, searching
from c2vsearch.index.gpu_rows import DEVICES, MOST_DEPTH, Found, best_of

_LISTS = ("IndexIVFFlat", "IndexIVFScalarQuantizer", "IndexIVFPQ")
_GRAPH = "IndexHNSWCagra"
# cuVS keeps at most so many rows while it walks a graph (itopk), a multiple of 32.
MOST_KEPT, KEPT_STEP = 512, 32
# A list is padded to whole groups of rows on a device.
PADDED = 1.25
SPARE_SHARE, SPARE = 1.2, 16


class GpuCandidates:
    """The candidates of an index of the CPU, looked for on GPUs. Threads may share it.

    Args:
        cpu: An index of a kind that FAISS has on GPUs.
        gpus: Their numbers.
        shared_out: Each has a part of the rows; else each has all, and a part of the queries.

    Raises:
        RuntimeError: FAISS cannot copy it, or there is no room.
    """

    def __init__(self, cpu: CandidateIndex, gpus: Sequence[int], *, shared_out: bool = False) -> None:
        self._cpu, self._faiss, self._shared_out = cpu, faiss_module(), shared_out and len(gpus) > 1
        self._graph = is_graph(cpu)
        options = self._faiss.GpuMultipleClonerOptions() if self._shared_out else self._faiss.GpuClonerOptions()
        options.useFloat16 = True  # tables of codes of 96 bytes fit no other way
        if self._shared_out:
            options.shard = True
            work = [resources(gpu) for gpu in gpus]
            self._whole = self._faiss.index_cpu_to_gpu_multiple_py(work, cpu.index, options, list(gpus))
            self._indexes = [self._faiss.downcast_index(self._whole.at(number)) for number in range(len(gpus))]
        else:
            self._indexes = [self._faiss.index_cpu_to_gpu(resources(gpu), gpu, cpu.index, options) for gpu in gpus]

    def __len__(self) -> int:
        return len(self._cpu)

    @property
    def efforts(self) -> tuple[int, ...]:
        """As those of the CPU."""
        return self._cpu.efforts

    def work(self, effort: int, depth: int) -> int:
        """As on the CPU."""
        return self._cpu.work(effort, depth)

    def ask(
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """As `CandidateIndex.ask`; what of it GPUs cannot do is done by the CPU."""
        depth = min(depth, len(self))
        there = len(self) if live is None else max(1, int(np.count_nonzero(live)))
        wide = depth if live is None else math.ceil((SPARE_SHARE * depth + SPARE) * len(self) / there)
        wide = min(wide, len(self))
        if not len(queries) or not self._reaches(wide, effort):
            return self._cpu.ask(queries, depth=depth, effort=effort, live=live)
        _, found = self._search(queries, wide, effort)
        counts = found >= 0 if live is None else (found >= 0) & live[found]
        order = np.argsort(~counts, axis=1, kind="stable")[:, :depth]
        named = np.where(np.take_along_axis(counts, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
        # Where fewer count than were wanted and there was more to see, the CPU looks among what counts alone.
        short = np.flatnonzero((np.count_nonzero(counts, axis=1) < depth) & (found[:, -1] >= 0) & (wide < len(self)))
        if len(short):
            named[short] = self._cpu.ask(queries[short], depth=depth, effort=effort, live=live)
        return named

    def search(
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The same: to a GPU a batch is no other thing than its queries."""
        return self.ask(queries, depth=depth, effort=effort, live=live)

    def _reaches(self, depth: int, effort: int) -> bool:
        return max(depth, effort) <= (MOST_KEPT if self._graph else MOST_DEPTH)

    def _search(self, queries: NDArray[np.float32], depth: int, effort: int) -> Found:
        parameters = self._parameters(depth, effort)
        queries = np.ascontiguousarray(queries, dtype=np.float32)

        def asked(pair: tuple[Any, NDArray[np.float32]]) -> Found:
            index, part = pair
            if not len(part):
                return np.empty((0, depth), dtype=np.float32), np.empty((0, depth), dtype=np.int64)
            scores, labels = index.search(part, depth, params=parameters)
            # A graph's nothing is a number of 32 bits that no row has.
            return scores, np.where((labels >= 0) & (labels < len(self)), labels, -1)

        parts = [queries] * len(self._indexes) if self._shared_out else np.array_split(queries, len(self._indexes))
        with DEVICES, searching(), ThreadPoolExecutor(len(self._indexes)) as pool:
            found = list(pool.map(asked, zip(self._indexes, parts, strict=True)))
        if self._shared_out:
            return best_of(found, depth)
        return np.concatenate([scores for scores, _ in found]), np.concatenate([labels for _, labels in found])

    def _parameters(self, depth: int, effort: int) -> Any:
        if not self._graph:
            lists = self.efforts[-1]
            return self._faiss.SearchParametersIVF(nprobe=min(max(effort, 1), lists))
        parameters = self._faiss.SearchParametersCagra()
        parameters.itopk_size = KEPT_STEP * math.ceil(self.work(effort, depth) / KEPT_STEP)
        return parameters


def is_graph(cpu: CandidateIndex) -> bool:
    """Whether it is a graph of cuVS."""
    return type(cpu.index).__name__ == _GRAPH


def has_gpu_kind(cpu: CandidateIndex) -> bool:
    """Whether FAISS has its kind on GPUs: lists whose centres are compared one by one, or a graph of cuVS."""
    if is_graph(cpu):
        return hasattr(faiss_module(), "GpuIndexCagra")
    if type(cpu.index).__name__ not in _LISTS or getattr(getattr(cpu.index, "pq", None), "nbits", 8) != 8:
        return False
    return type(faiss_module().downcast_index(cpu.index.quantizer)).__name__.startswith("IndexFlat")


def candidates_bytes(cpu: CandidateIndex, *, dim: int, shares: int) -> int:
    """What they take of each device, when each has a share of the rows, with the work.

    Lists are their centres and, for each row, its code and its number.
    """
    if is_graph(cpu):
        return graph_bytes(len(cpu), dim, cpu.index.hnsw.nb_neighbors(0)) if shares == 1 else 0
    lists = PADDED * len(cpu) * (int(cpu.index.code_size) + 8) / shares
    return int(lists) + 4 * dim * int(cpu.index.nlist) + WORK_BYTES
