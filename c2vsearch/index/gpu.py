"""GPUs, where FAISS was built for them: which can be used and what fits, and building an index on them: k-means, the
assignment of rows to lists, and CAGRA graphs.

What is built is an index of the CPU, written and read as any other; searching on GPUs is `c2vsearch.index.on_gpus`.
Not measured on a GPU yet.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.index.engine import faiss_module

_DEVICE = re.compile(r"cuda(?::(\d+(?:,\d+)*))?")
# FAISS sets aside for its own work what is usually 1.5 GB; the rest of a device may hold what is built.
WORK_BYTES = 1_600_000_000
SECONDS_TO_ANSWER = 10
PROBE_ROWS, PROBE_DIM = 256, 64


def usable_gpus(device: str) -> tuple[int, ...]:
    """The GPUs that a device stands for: "cpu" none, "auto" all that work, "cuda" all, "cuda:1" or "cuda:0,2" those.

    Each is asked to add some rows and to find them before it is trusted: a FAISS that was built for another
    architecture loads, and fails or answers wrongly.

    Raises:
        InvalidConfig: There is no such device, or one that was asked for does not work.

    >>> usable_gpus("cpu")
    ()
    """
    if device == "cpu":
        return ()
    there = range(int(getattr(faiss_module(), "get_num_gpus", lambda: 0)()))
    if device == "auto":
        return tuple(number for number in there if not problem_of(number))
    matched = _DEVICE.fullmatch(device)
    if not matched:
        raise InvalidConfig(f"device is {device!r}; expected auto, cpu, cuda, cuda:1 or cuda:0,2")
    wanted = tuple(map(int, matched[1].split(","))) if matched[1] else tuple(there)
    if not wanted or not set(wanted) <= set(there):
        raise InvalidConfig(
            f"device is {device!r} and FAISS sees {len(there)} GPUs; expected one it sees (pip install "
            "'c2vsearch[gpu]'), or --device cpu"
        )
    for number in wanted:
        if problem := problem_of(number):
            raise InvalidConfig(f"GPU {number} cannot be used: {problem}; use --device cpu")
    return wanted


def problem_of(gpu: int) -> str:
    """Why a GPU cannot be trusted, after one add and one search; "" when it can."""
    rows = np.random.default_rng(0).standard_normal((PROBE_ROWS, PROBE_DIM)).astype(np.float32)
    try:
        index = _flat(PROBE_DIM, [gpu])
        index.add(rows)
        found = index.search(rows[:8], 3)[1]
    except (RuntimeError, AttributeError, AssertionError) as error:
        return reason(error)
    expected = np.argsort(-(rows[:8] @ rows.T), axis=1)[:, :3]
    return "" if (found == expected).all() else "it finds other rows than there are"


def reason(error: Exception) -> str:
    """What FAISS says of an error, in one line."""
    return str(error).strip().splitlines()[-1][:160] if str(error).strip() else type(error).__name__


@contextmanager
def searching() -> Iterator[None]:
    """What goes wrong on a device while it searches, as an error of ours.

    Raises:
        OutOfDeviceMemory: FAISS raised one: it has a single kind, and memory is what there is too little of.
    """
    try:
        yield
    except RuntimeError as error:
        raise OutOfDeviceMemory(
            f"a GPU failed while it searched ({reason(error)}); expected room for the queries: ask fewer at once, or "
            "use --device cpu"
        ) from error


def training_bytes(rows: int, dim: int, lists: int) -> int:
    """What k-means of so many rows takes of a device: the rows and the centres as float32, and the work.

    >>> training_bytes(160_000, 768, 4096) // 10**6
    2104
    """
    return 4 * dim * (rows + lists) + WORK_BYTES


def graph_bytes(rows: int, dim: int, degree: int) -> int:
    """What building a CAGRA graph takes of a device: the rows, the graph and the wider one before it, the work."""
    return 4 * dim * rows + 4 * 3 * degree * rows + WORK_BYTES


@cache
def resources(gpu: int) -> Any:
    """What FAISS needs to search on a device: one for a process, because each sets memory aside for its work."""
    return faiss_module().StandardGpuResources()


def fits(gpus: Sequence[int], needed: int) -> str:
    """Why so many bytes do not fit on each of these devices; "" when they do, or when nothing can be known."""
    free = min((found for gpu in gpus if (found := free_bytes(gpu)) is not None), default=None)
    if free is None or needed <= free:
        return ""
    return f"about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free"


def free_bytes(gpu: int) -> int | None:
    """Free memory of a device, as the driver's own tool tells it; None where nobody can say."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    name = visible[gpu] if gpu < len(visible) else str(gpu)
    command = ["nvidia-smi", f"--id={name}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS_TO_ANSWER)
        return int(told.stdout.split()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


@contextmanager
def trained_on(ivf: Any, gpus: Sequence[int], dim: int) -> Iterator[None]:
    """Let an index of lists find its centres on GPUs, while this lasts."""
    clustering = _flat(dim, gpus)
    ivf.clustering_index = clustering
    try:
        yield
    finally:
        ivf.clustering_index = None


@contextmanager
def assigned_on(ivf: Any, gpus: Sequence[int], dim: int) -> Iterator[None]:
    """Let a trained index of lists find the list of a row on GPUs, while this lasts."""
    own = ivf.quantizer
    centres = own.reconstruct_n(0, int(own.ntotal))
    quantizer = _flat(dim, gpus)
    quantizer.add(centres)
    owns, ivf.own_fields = ivf.own_fields, False  # what stands in for it is ours
    ivf.quantizer = quantizer
    try:
        yield
    finally:
        ivf.quantizer = own
        ivf.own_fields = owns


def cagra(rows: NDArray[np.float32], degree: int, gpu: int) -> Any:
    """A graph over rows, built by cuVS on a GPU, as an index that the CPU searches and FAISS writes.

    Shape: rows (N, D).
    """
    faiss = faiss_module()
    config = faiss.GpuIndexCagraConfig()
    config.device, config.graph_degree, config.intermediate_graph_degree = gpu, degree, 2 * degree
    index = faiss.GpuIndexCagra(faiss.StandardGpuResources(), rows.shape[1], faiss.METRIC_INNER_PRODUCT, config)
    index.train(rows)
    found = faiss.IndexHNSWCagra(rows.shape[1], degree // 2, faiss.METRIC_INNER_PRODUCT)
    index.copyTo(found)
    return found


def _flat(dim: int, gpus: Sequence[int]) -> Any:
    """An empty flat index on one GPU, or with a copy on each of several that share the queries."""
    faiss = faiss_module()
    index = faiss.IndexFlatIP(dim)
    resources = [faiss.StandardGpuResources() for _ in gpus]
    if len(gpus) == 1:
        return faiss.index_cpu_to_gpu(resources[0], gpus[0], index)
    return faiss.index_cpu_to_gpu_multiple_py(resources, index, gpus=list(gpus))
