"""FAISS's GPU classes as far as they are used, on a machine without one: by value what FAISS's source says they do.

Rows and queries of a flat index are float16 there, no more than 2,048 rows are given and lists looked into, a selector
is not known (a search with one fails here, so that none is ever given), and a device holds so much and no more.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest

MOST = 2048


class Resources:
    """What FAISS is given for its work."""


class GpuIndexFlat:
    """`faiss.GpuIndexFlat` with float16 storage: a product of matrices of what is left of both sides."""

    def __init__(self, resources: Resources, dim: int, metric: int, config: SimpleNamespace) -> None:
        assert isinstance(resources, Resources)
        assert metric == faiss.METRIC_INNER_PRODUCT
        assert config.useFloat16
        self.device, self.rows = config.device, np.empty((0, dim), dtype=np.float16)
        Devices.now.flat.append(self)

    @property
    def ntotal(self) -> int:
        return len(self.rows)

    def add(self, rows: np.ndarray) -> None:
        assert rows.dtype == np.float32
        Devices.now.take(self.device, 2 * rows.size)
        assert not len(self.rows), "a second add copies what is there"
        self.rows = rows.astype(np.float16)

    def search(self, queries: np.ndarray, k: int, *, params: Any = None) -> tuple[np.ndarray, np.ndarray]:
        assert params is None
        assert 0 < k <= MOST
        scores = queries.astype(np.float16).astype(np.float32) @ self.rows.astype(np.float32).T
        order = np.argsort(-scores, axis=1)[:, :k]
        short = k - order.shape[1]
        found = np.take_along_axis(scores, order, axis=1)
        return np.pad(found, ((0, 0), (0, short))), np.pad(order, ((0, 0), (0, short)), constant_values=-1)


class GpuIndexOf:
    """An index of lists, or a graph, copied to a device."""

    def __init__(self, index: Any, device: int, *, graph: bool) -> None:
        self.index, self.device, self.graph, self.asked = index, device, graph, 0

    def search(self, queries: np.ndarray, k: int, *, params: Any) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(queries)
        assert 0 < k <= MOST
        if self.graph:
            assert k <= params.itopk_size <= 512
            assert params.itopk_size % 32 == 0
            found = self.index.search(queries, k, params=faiss.SearchParametersHNSW(efSearch=params.itopk_size))
            return found[0], np.where(found[1] < 0, 2**32 - 1, found[1])  # nothing is the largest uint32 of cuVS
        assert params.sel is None
        assert params.nprobe <= MOST
        return self.index.search(queries, k, params=params)


class GpuShards:
    """What FAISS gives for several devices that share the rows: each has an index with the numbers of all."""

    def __init__(self, parts: list[GpuIndexOf]) -> None:
        self._parts = parts

    def at(self, number: int) -> GpuIndexOf:
        return self._parts[number]


class Devices:
    """So many GPUs with so many bytes each; remembers what is put on them."""

    now: Devices

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int = 1, *, room: int = 10**9) -> None:
        Devices.now = self
        self.free = [room] * count
        self.flat: list[GpuIndexFlat] = []
        self.copied: list[GpuIndexOf] = []
        self.shared_out = False
        real = faiss.downcast_index
        for name, stand_in in {
            "get_num_gpus": lambda: count, "StandardGpuResources": Resources, "GpuIndexFlat": GpuIndexFlat,
            "GpuIndexFlatConfig": lambda: SimpleNamespace(device=0, useFloat16=False),
            "GpuClonerOptions": lambda: SimpleNamespace(useFloat16=False),
            "GpuMultipleClonerOptions": lambda: SimpleNamespace(useFloat16=False, shard=False),
            "index_cpu_to_gpu": self._copy, "index_cpu_to_gpu_multiple_py": self._copy_to_several,
            "GpuIndexCagra": object, "SearchParametersCagra": lambda: SimpleNamespace(itopk_size=64),
            "downcast_index": lambda index: index if isinstance(index, GpuIndexOf) else real(index),
        }.items():  # fmt: skip
            monkeypatch.setattr(faiss, name, stand_in, raising=False)
        from c2vsearch.index import gpu

        gpu.resources.cache_clear()
        monkeypatch.setattr(gpu, "free_bytes", lambda number: self.free[number] + gpu.WORK_BYTES)

    def take(self, device: int, size: int) -> None:
        if size > self.free[device]:
            raise RuntimeError("Error in allocMemory\nCUDA out of memory: cudaMalloc error 2")
        self.free[device] -= size

    def _copy(self, resources: Resources, device: int, index: Any, options: Any = None) -> Any:
        if options is None:  # the probe, and building
            return index
        name = type(index).__name__
        if name not in ("IndexIVFFlat", "IndexIVFScalarQuantizer", "IndexIVFPQ", "IndexHNSWCagra"):
            raise RuntimeError("This index type is not implemented on GPU.")
        graph = name == "IndexHNSWCagra"
        self.take(device, index.ntotal * (4 * index.d if graph else index.code_size + 8))
        self.copied.append(GpuIndexOf(index, device, graph=graph))
        return self.copied[-1]

    def _copy_to_several(self, resources: list[Resources], index: Any, options: Any = None, gpus: Any = None) -> Any:
        if options is None:
            return index
        assert options.shard
        self.shared_out = True
        parts = []
        for number, device in enumerate(gpus):
            part = faiss.clone_index(index)
            part.reset()
            index.copy_subset_to(part, faiss.InvertedLists.SUBSET_TYPE_ID_MOD, len(gpus), number)
            parts.append(self._copy(resources[number], device, part, options))
        return GpuShards(parts)
