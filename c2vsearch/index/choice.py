"""Which kind of index a corpus gets: the smallest that finds enough, fast enough, as measured on its own rows.

What is small is tried first, over all rows; the first that does it is taken.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.config import IndexSpec
from c2vsearch.errors import InvalidConfig
from c2vsearch.index.calibration import AT, MANY, Queries, nearest, tune
from c2vsearch.index.candidates import ROWS_PER_CENTRE, CandidateIndex, training_rows
from c2vsearch.index.gpu import fits, training_bytes, usable_gpus
from c2vsearch.index.measured import Measured
from c2vsearch.index.rows import RowFile

DEFAULT_LATENCY_MS = 10.0
# What a flat search of one query reads in a millisecond on one thread (docs/benchmarks.md).
EXACT_BYTES_PER_MS = 20_000_000
# Above this many lists their centres are found through a graph.
MANY_LISTS = 8192
GRAPH_ROWS = 2_000_000
SEED = 13


@dataclass(frozen=True, slots=True)
class Chosen:
    """An index over all rows, how it is asked for few and for many, and whether it does what was wanted for few."""

    index: CandidateIndex
    few: Measured
    many: Measured
    meets: bool


def is_exact(spec: IndexSpec, *, rows: int, dim: int) -> bool:
    """Whether rows are searched exactly: while it is fast enough and fits, and always for "Flat" and a recall of 1.

    >>> is_exact(IndexSpec(), rows=100_000, dim=768), is_exact(IndexSpec(), rows=200_000, dim=768)
    (True, False)
    """
    size = 2 * rows * dim
    if spec.factory:
        return spec.factory == "Flat" or rows < training_rows(spec.factory, dim)
    if spec.target_recall >= 1.0 or rows < training_rows(kinds(rows, dim)[-1], dim):
        return True
    fast = size <= (spec.max_latency_ms or DEFAULT_LATENCY_MS) * EXACT_BYTES_PER_MS
    return fast and (spec.max_memory_bytes is None or size <= spec.max_memory_bytes)


def kinds(rows: int, dim: int) -> list[str]:
    """The kinds that are tried for so many rows, those that take the least memory first.

    Left out are those that gain nothing here: a product quantiser of whole bytes, or a learned rotation, takes forty
    times as long to train and, as candidates are compared by their own rows, finds no more.

    >>> kinds(1_000_000, 768)[:2]
    ['IVF4096,PQ192x4fs', 'IVF4096,RaBitQ']
    """
    lists = 1 << round(math.log2(4 * math.sqrt(max(rows, 1))))
    ivf = f"IVF{lists}_HNSW32" if lists > MANY_LISTS else f"IVF{lists}"
    graph = ["HNSW32,SQ8"] if rows <= GRAPH_ROWS else []
    quantised = [f"{ivf},PQ{dim // 4}x4fs"] if dim % 4 == 0 else []
    return [*quantised, f"{ivf},RaBitQ", f"{ivf},SQ8", *graph, f"{ivf},SQfp16"]


def choose(spec: IndexSpec, rows: RowFile, queries: Queries, *, dim: int, device: str = "cpu") -> Chosen:
    """Build the index that meets the dial at the least memory; where none does, the one that comes nearest.

    Args:
        spec: The dial, and its limits.
        rows: All rows.
        queries: Held-out queries; their own rows are positions in ``rows``.
        dim: D.
        device: Where it is built, as `c2vsearch.index.gpu.usable_gpus` reads it.

    Raises:
        InvalidConfig: FAISS makes no index of the kind that was asked for, or makes it on a GPU alone.
    """
    truth, gpus = nearest(queries, rows.parts()), _gpus_for_building(device)
    best: Chosen | None = None
    fitting = [spec.factory] if spec.factory else _fitting(spec, len(rows), dim)
    for kind in fitting or kinds(len(rows), dim)[:1]:
        found = build(kind, rows, queries, truth, dim=dim, target=spec.target_recall, gpus=gpus)
        if found.meets and fitting and found.few.latency_ms <= (spec.max_latency_ms or DEFAULT_LATENCY_MS):
            return found
        if best is None or _nearer(found, best):
            best = found
    assert best is not None  # there is always one to try
    return dataclasses.replace(best, meets=False)


def build(
    kind: str, rows: RowFile, queries: Queries, truth: NDArray[np.int64], *, dim: int, target: float,
    gpus: Sequence[int] = (),
) -> Chosen:  # fmt: skip
    """An index of one kind over all rows, and its best settings. ``meets`` tells of the recall alone."""
    wanted = training_rows(kind, dim)
    if problem := fits(gpus, training_bytes(wanted, dim, wanted // ROWS_PER_CENTRE)) if gpus else "":
        warnings.warn(f"the centres of {kind} are found on the CPU: {problem}", RuntimeWarning, stacklevel=2)
        gpus = ()
    index = CandidateIndex.build(kind, _sample(rows, wanted), rows.parts(), dim=dim, gpus=gpus)
    few, meets = tune(index, rows, queries, truth[:, :AT], target=target)
    many, _ = tune(index, rows, queries, truth[:, :MANY], target=target)
    return Chosen(index, few, many, meets)


def _gpus_for_building(device: str) -> tuple[int, ...]:
    """Those of a device; none, and a warning, where FAISS cannot use it: a model on torch may all the same."""
    try:
        return usable_gpus(device)
    except InvalidConfig as error:
        warnings.warn(f"the vector index is built on the CPU: {error}", RuntimeWarning, stacklevel=2)
        return ()


def row_bytes(kind: str, dim: int) -> float:
    """About what a kind keeps in memory of one row."""
    codes = {"SQ8": dim, "SQfp16": 2 * dim, "RaBitQ": dim / 8 + 8, f"PQ{dim // 4}x4fs": dim / 8}
    graph = 272 if kind.startswith("HNSW") else 8
    return codes[kind.partition(",")[2]] + graph


def _fitting(spec: IndexSpec, rows: int, dim: int) -> list[str]:
    limit = spec.max_memory_bytes
    return [kind for kind in kinds(rows, dim) if limit is None or row_bytes(kind, dim) * rows <= limit]


def _nearer(found: Chosen, best: Chosen) -> bool:
    """One that finds enough before one that does not; then the quicker, or the one that finds more."""
    if found.meets != best.meets:
        return found.meets
    if found.meets:
        return found.few.latency_ms < best.few.latency_ms
    return found.few.recall.mean > best.few.recall.mean


def _sample(rows: RowFile, count: int) -> NDArray[np.float32]:
    count = min(count, len(rows))
    chosen = np.random.default_rng(SEED).choice(len(rows), size=count, replace=False)
    return rows.take(np.sort(chosen).astype(np.int64))
