"""Where a segment is searched: on GPUs as its own kind, on GPUs by all its rows, or on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from c2vsearch.errors import OutOfDeviceMemory
from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.gpu import fits, reason
from c2vsearch.index.gpu_candidates import GpuCandidates, candidates_bytes, has_gpu_kind, is_graph
from c2vsearch.index.gpu_rows import GpuRows, rows_bytes
from c2vsearch.index.gpu_segment import GpuSegment
from c2vsearch.index.vectors import VectorSegment

Segment = VectorSegment | ApproximateSegment | GpuSegment
Way = tuple[int, Callable[[], Segment]]


def on_gpus(segment: VectorSegment | ApproximateSegment, gpus: Sequence[int], *, dim: int, strict: bool) -> Segment:
    """The segment, searched on GPUs where it fits there.

    Candidates are looked for there when FAISS has their kind: each GPU has all of them and a part of the queries or,
    where that does not fit, a part of the lists. Otherwise, and for a flat segment, all rows are compared there as
    float16, each GPU having a part of them.

    Args:
        segment: As the CPU searches it.
        gpus: Usable ones, by `c2vsearch.index.gpu.usable_gpus`; at least one.
        dim: D.
        strict: Refuse what does not fit; else warn, and leave it to the CPU.

    Raises:
        OutOfDeviceMemory: It does not fit, or a GPU will not take it, and ``strict``.
    """
    problems = []
    for needed, moved in _ways(segment, gpus, dim):
        problem = fits(gpus, needed)
        if not problem:
            try:
                return moved()
            except RuntimeError as error:  # FAISS has no other
                problem = reason(error)
        problems.append(problem)
    told = f"{len(segment):,} rows cannot be searched on GPU {', '.join(map(str, gpus))}: {problems[-1]}"
    if strict:
        raise OutOfDeviceMemory(f"{told}; use a larger GPU or several (--device cuda:0,1), or --device cpu")
    warnings.warn(f"{told}; the CPU searches them", RuntimeWarning, stacklevel=2)
    return segment


def _ways(segment: VectorSegment | ApproximateSegment, gpus: Sequence[int], dim: int) -> list[Way]:
    """What can be tried, best first: the bytes it takes of each GPU, and how it is done."""

    def rows() -> Segment:
        return GpuSegment(segment, GpuRows(segment.parts(), rows=len(segment), dim=dim, gpus=gpus))

    ways = [*_candidates_ways(segment, gpus, dim)] if isinstance(segment, ApproximateSegment) else []
    return [*ways, (rows_bytes(len(segment), dim, len(gpus)), rows)]


def _candidates_ways(segment: ApproximateSegment, gpus: Sequence[int], dim: int) -> list[Way]:
    cpu = segment.candidates
    if not isinstance(cpu, CandidateIndex) or not has_gpu_kind(cpu):
        return []

    def way(shared_out: bool) -> Way:
        needed = candidates_bytes(cpu, dim=dim, shares=len(gpus) if shared_out else 1)
        return needed, lambda: segment.with_candidates(GpuCandidates(cpu, gpus, shared_out=shared_out))

    return [way(False), *([way(True)] if len(gpus) > 1 and not is_graph(cpu) else [])]
