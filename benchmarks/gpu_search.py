"""How many queries a second does a GPU answer, at a recall of 0.95, and how long does it take to build for that?

    python benchmarks/gpu_search.py [--device cuda:0] [--rows 1000000 10000000] [--dim 768]
    python benchmarks/gpu_search.py --device cpu --rows 20000 --dim 64 --queries 64      # its own check, without a GPU

Made rows (`vectors.py`) in the file of a segment. Compared are, each with its answers settled by the stored rows:
all rows on the GPU (flat), lists with codes of a byte (IVF-PQ), a graph of cuVS (CAGRA); the same on the CPU, and the
kind that the CPU would have chosen (codes of half a byte); and, as it stands, a matrix product and top-k of torch in
float16. An index is asked ever harder until it finds 0.95 of the ten truly nearest; then it is asked
1, 64 and 1,000 queries at a time. On the CPU torch takes float32, and there is no CAGRA.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from bench import report
from numpy.typing import NDArray
from vectors import PART, Made

from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.calibration import Queries, nearest
from c2vsearch.index.candidates import CandidateIndex, training_rows
from c2vsearch.index.choice import kinds
from c2vsearch.index.gpu import usable_gpus
from c2vsearch.index.measured import Setting
from c2vsearch.index.on_gpus import Segment, on_gpus
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.index.vectors import VectorSegment
from c2vsearch.shards.checked import file_hashes

AT, TARGET, JUDGED = 10, 0.95, 200
DEPTHS = (20, 40, 100, 200)
BATCHES = (1, 64, 1000)
LEAST_SECONDS = 0.5
# Bytes of float32 scores that torch has in memory at a time.
SCORES_BYTES = 1 << 30

Batch = NDArray[np.float32]
Found = NDArray[np.int64]


def main() -> None:
    """Every number of rows in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--queries", type=int, default=max(BATCHES))
    parser.add_argument("--degree", type=int, default=64, help="of the CAGRA graph")
    parser.add_argument("--no-cpu", action="store_true", help="leave out what the CPU does beside a GPU")
    args = parser.parse_args()
    gpus, sizes = usable_gpus(args.device), {}
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as name:
            sizes[rows] = of_rows(Path(name), rows, args, gpus)
    report("gpu_search" if gpus else "gpu_search_cpu", {
        "device": args.device, "gpus": device_names(gpus), "dim": args.dim, "at": AT, "target": TARGET, "sizes": sizes,
    })  # fmt: skip


def of_rows(place: Path, rows: int, args: argparse.Namespace, gpus: tuple[int, ...]) -> list[dict[str, Any]]:
    """All contestants over so many rows."""
    made, path = Made(dim=args.dim), place / "rows.faiss"
    write_rows(path, drawn(made, rows), dim=made.dim, rows=rows)
    file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=made.dim, rows=rows)
    asked = made.queries(args.queries)
    judged = asked[:JUDGED]
    truth = nearest(Queries(judged, ("query",) * len(judged), np.full(len(judged), -1)), file.parts(), k=AT)
    found: list[dict[str, Any]] = []

    def kept(name: str, figures: dict[str, Any]) -> None:
        found.append({"name": name, **figures})
        print(rows, found[-1], flush=True)

    kept("torch", of_torch(file, asked, truth, args.device if gpus else "cpu"))
    if gpus:
        import torch

        torch.cuda.empty_cache()  # what torch no longer needs, or FAISS finds no room
    flat = VectorSegment(path, dim=made.dim, rows=rows)
    for name, segment in placed("flat", flat, gpus, made.dim, cpu=not args.no_cpu):
        kept(name, of_segment(segment, asked, truth))
    lists = kinds(rows, made.dim)[0].partition(",")[0].partition("_")[0]
    wanted = [f"{lists},PQ{made.dim // 8}", *([f"CAGRA{args.degree}"] if gpus else [])]
    for kind in [*wanted, *([] if args.no_cpu else kinds(rows, made.dim)[:1])]:
        began = time.perf_counter()
        sample = np.linspace(0, rows - 1, min(rows, training_rows(kind, made.dim))).astype(np.int64)
        index = CandidateIndex.build(kind, file.take(sample), file.parts(), dim=made.dim, gpus=gpus)
        figures = {"build_s": round(time.perf_counter() - began, 2)}
        for name, segment in placed(kind, approximate(index, file), gpus, made.dim, cpu=not args.no_cpu):
            kept(name, figures | of_index(segment, index, file, asked, truth))
    file.close()
    return found


def drawn(made: Made, rows: int) -> Iterator[NDArray[np.float16]]:
    """`Made.parts`, drawn by all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, rows, 64 * PART):
            numbers = range(1 + start // PART, 1 + -(-min(rows, start + 64 * PART) // PART))
            yield from pool.map(lambda number: made.part(number, rows), numbers)


def approximate(index: CandidateIndex, file: RowFile, setting: Setting | None = None) -> ApproximateSegment:
    """A segment asked in one way."""
    setting = setting or Setting(index.efforts[0], DEPTHS[0])
    return ApproximateSegment(index, file, few=setting, many=setting)


def placed(
    name: str, segment: VectorSegment | ApproximateSegment, gpus: tuple[int, ...], dim: int, *, cpu: bool
) -> Iterator[tuple[str, Segment]]:
    """The segment on the GPUs, and on the CPU."""
    if gpus:
        moved = on_gpus(segment, gpus, dim=dim, strict=True)
        # What FAISS has not there would be another contestant.
        if type(moved) is type(segment) or isinstance(segment, VectorSegment):
            yield f"{name} on GPU", moved
    if cpu or not gpus:
        yield f"{name} on CPU", segment


def of_segment(segment: Segment, asked: Batch, truth: Found) -> dict[str, Any]:
    """Recall and queries a second of a segment as it is."""

    def answer(queries: Batch) -> Found:
        found = segment.search_batch(queries, k=AT)
        return np.array([[place for place, _ in hits] for hits in found])

    return {"recall": recall(answer, asked, truth), **rates(answer, asked)}


def of_index(segment: Segment, index: CandidateIndex, file: RowFile, asked: Batch, truth: Found) -> dict[str, Any]:
    """The same at the least effort that finds enough; with the most where none does."""
    assert isinstance(segment, ApproximateSegment)
    best: ApproximateSegment = segment
    setting = Setting(index.efforts[-1], DEPTHS[-1])
    for effort in index.efforts:
        for depth in DEPTHS:
            if index.work(effort, depth) != effort:
                continue
            setting = Setting(effort, depth)
            best = ApproximateSegment(segment.candidates, file, few=setting, many=setting)
            if recall_of(best, asked, truth) >= TARGET:
                return {"effort": effort, "depth": depth, **of_segment(best, asked, truth)}
    return {"effort": setting.effort, "depth": setting.depth, **of_segment(best, asked, truth)}


def of_torch(file: RowFile, asked: Batch, truth: Found, device: str) -> dict[str, Any]:
    """What one writes without an index: a product of matrices, and the largest of each line."""
    import torch

    kind = torch.float32 if device == "cpu" else torch.float16
    began = time.perf_counter()
    rows = torch.empty((len(file), asked.shape[1]), dtype=kind, device=device)
    start = 0
    for part in file.parts(65_536):
        rows[start : start + len(part)] = torch.from_numpy(np.array(part)).to(device, kind)
        start += len(part)
    copied = time.perf_counter() - began

    def answer(queries: Batch) -> Found:
        vectors = torch.from_numpy(queries).to(device, kind)
        size = max(AT, SCORES_BYTES // (4 * len(queries)))
        parts = []
        for first in range(0, len(rows), size):
            scores, places = (vectors @ rows[first : first + size].T).topk(min(AT, len(rows) - first), dim=1)
            parts.append((scores, places + first))
        scores, places = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))
        found: Found = places.gather(1, scores.topk(min(AT, scores.shape[1]), dim=1).indices).cpu().numpy()
        return found

    return {"copy_s": round(copied, 2), "recall": recall(answer, asked, truth), **rates(answer, asked)}


def recall_of(segment: Segment, asked: Batch, truth: Found) -> float:
    """The share of the truly nearest that a segment finds."""
    return recall(
        lambda queries: np.array([[place for place, _ in hits] for hits in segment.search_batch(queries, k=AT)]),
        asked, truth,
    )  # fmt: skip


def recall(answer: Callable[[Batch], Found], asked: Batch, truth: Found) -> float:
    """The share of the truly nearest that is in the answers to the judged queries."""
    found = answer(asked[: len(truth)])
    return round(float(np.mean([np.isin(true, row).mean() for true, row in zip(truth, found, strict=True)])), 4)


def rates(answer: Callable[[Batch], Found], asked: Batch) -> dict[str, float]:
    """Queries a second, for each number of queries at a time: the best round of those that fit in half a second."""
    found = {}
    for size in (batch for batch in BATCHES if batch <= len(asked)):
        answer(asked[:size])
        best, began, start = 0.0, time.perf_counter(), 0
        while time.perf_counter() - began < LEAST_SECONDS or not best:
            before = time.perf_counter()
            answer(asked[start : start + size])
            best = max(best, size / (time.perf_counter() - before))
            start = start + size if start + 2 * size <= len(asked) else 0
        found[f"qps_{size}"] = round(best, 1)
    return found


def device_names(gpus: tuple[int, ...]) -> list[str]:
    """What the devices are called."""
    if not gpus:
        return []
    import torch

    return [torch.cuda.get_device_name(gpu) for gpu in gpus]


if __name__ == "__main__":
    main()
