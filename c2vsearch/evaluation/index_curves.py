"""What each kind of index would do for the rows of an index: recall by milliseconds, memory, time to build."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.artifacts import write_bytes
from c2vsearch.collection import Collection
from c2vsearch.collection.asking import drawn_chunks
from c2vsearch.collection.questions import Encode, ask, read_questions
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.plots import drawn, figure
from c2vsearch.index.calibration import AT, Queries, depths, latency_ms, nearest, recall
from c2vsearch.index.candidates import CandidateIndex, training_rows
from c2vsearch.index.choice import kinds
from c2vsearch.index.gpu_candidates import GpuCandidates, has_gpu_kind
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.shards.checked import file_hashes

# Exact search as a kind among others: every row is looked at.
EXACT = "SQfp16"
OWN_ROWS = 100
LEAST_ROWS = 2 * AT
SEED = 37
MARKS = "osD^vPX*"


@dataclass(frozen=True, slots=True)
class Point:
    """One way to ask an index: recall@10 over the held-out queries, and the median milliseconds of a search."""

    setting: Setting
    recall: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Curve:
    """One kind of index over all rows: its size in memory, how long it took to build, and its best ways to be asked.

    ``points`` are those that no other is quicker and finds more than, quickest first.
    """

    kind: str
    size_bytes: int
    build_seconds: float
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        """What a person calls the kind."""
        return f"exact ({EXACT})" if self.kind == EXACT else self.kind

    def at(self, target: float) -> Point | None:
        """The quickest that finds so much; None where none does."""
        return next((point for point in self.points if point.recall >= target), None)


def index_curves(
    collection: Collection, place: Path, *, encode: Encode | None, rows: int, names: Sequence[str] = (),
    gpus: Sequence[int] = (),
) -> Iterator[Curve]:  # fmt: skip
    """Build kinds of index one after the other and measure each. The index itself is only read.

    Args:
        collection: Whose live rows they are of.
        place: An empty directory for what is built.
        encode: Queries to unit vectors, where the index keeps no questions; None to ask with rows alone.
        rows: So many of the rows, at most, drawn at random.
        names: Factory strings; by default exact search, and those that would be tried and have rows enough.
        gpus: Where they are built, and searched if FAISS has their kind there.

    Raises:
        InvalidConfig: There is nothing to measure, or no such kind.
    """
    dim = collection.manifest.fingerprint.dim
    sample = _rows(collection, place / "rows.faiss", rows, dim)
    queries = _queries(collection, sample, encode)
    truth = nearest(queries, sample.parts(), k=AT)
    usual = [EXACT, *(kind for kind in kinds(len(sample), dim) if len(sample) >= training_rows(kind, dim))]
    for kind in names or usual:
        if len(sample) < training_rows(kind, dim) and kind != EXACT:
            raise InvalidConfig(
                f"{kind} is trained on {training_rows(kind, dim):,} rows and there are {len(sample):,}; expected a "
                "kind with fewer lists, or a larger index"
            )
        yield _curve(kind, sample, queries, truth, place, dim, gpus)


def draw_curves(path: Path, curves: Sequence[Curve], *, title: str) -> None:
    """Recall by milliseconds, a line for each kind, as PNG.

    Raises:
        MissingDependency: ``matplotlib`` is not installed.
    """
    picture, [axis] = figure(1)
    for number, curve in enumerate(curves):
        label = f"{curve.name}, {curve.size_bytes / 1e6:,.1f} MB"
        points = [(point.latency_ms, point.recall) for point in curve.points]
        axis.plot(*zip(*points, strict=True), marker=MARKS[number % len(MARKS)], markersize=4, label=label)
    axis.set(xscale="log", xlabel="milliseconds of a search, one thread", ylabel=f"recall@{AT}", title=title)
    axis.set_ylim(min(0.8, *(point.recall for curve in curves for point in curve.points)) - 0.02, 1.005)
    write_bytes(path, drawn(picture, axis))


def _rows(collection: Collection, path: Path, rows: int, dim: int) -> RowFile:
    live = collection.live()
    total = sum(int(np.count_nonzero(mask)) for mask in live.values())
    if total < LEAST_ROWS:
        raise InvalidConfig(f"{collection.root} has {total} chunks; expected at least {LEAST_ROWS} to measure with")
    count = min(rows, total)
    drawn = np.zeros(total, dtype=np.bool_)
    drawn[np.random.default_rng(SEED).choice(total, size=count, replace=False)] = True

    def parts() -> Iterator[NDArray[np.float16]]:
        start = 0
        for number, entry in enumerate(collection.manifest.shards):
            counting = np.flatnonzero(live[entry.name])
            yield collection.shard(number).vectors()[counting[drawn[start : start + len(counting)]]]
            start += len(counting)

    write_rows(path, parts(), dim=dim, rows=count)
    return RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=dim, rows=count)


def _queries(collection: Collection, rows: RowFile, encode: Encode | None) -> Queries:
    own = np.sort(np.random.default_rng(SEED).choice(len(rows), size=min(OWN_ROWS, len(rows)), replace=False))
    vectors, sorts = [rows.take(own)], ["row"] * len(own)
    manifest = collection.manifest
    if manifest.questions or encode:
        if manifest.questions:
            asked = read_questions(collection.verified(manifest.questions))
        else:
            assert encode is not None
            asked = ask(drawn_chunks(collection.root, manifest.shards, collection.live()), encode, rows=len(rows))
        vectors.append(asked.vectors)
        sorts += asked.sorts
    places = np.concatenate([own, np.full(len(sorts) - len(own), -1)]).astype(np.int64)
    return Queries(np.concatenate(vectors), tuple(sorts), places)


def _curve(
    kind: str, rows: RowFile, queries: Queries, truth: NDArray[np.int64], place: Path, dim: int,
    gpus: Sequence[int],
) -> Curve:  # fmt: skip
    began = time.perf_counter()
    count = min(len(rows), training_rows(kind, dim))
    sample = np.sort(np.random.default_rng(SEED).choice(len(rows), size=count, replace=False))
    index = CandidateIndex.build(kind, rows.take(sample), rows.parts(), dim=dim, gpus=gpus)
    seconds = time.perf_counter() - began
    path = place / "candidates.faiss"
    index.save(path)
    searched = GpuCandidates(index, gpus) if gpus and has_gpu_kind(index) else index
    return Curve(kind, path.stat().st_size, round(seconds, 2), _points(kind, searched, rows, queries, truth))


def _points(
    kind: str, index: CandidateIndex | GpuCandidates, rows: RowFile, queries: Queries, truth: NDArray[np.int64]
) -> tuple[Point, ...]:
    every = np.ones(len(queries), dtype=np.bool_)
    found = []
    for effort in index.efforts:
        for depth in depths(AT)[:1] if kind == EXACT else depths(AT):
            setting = Setting(effort, depth)
            share = recall(index, queries, truth, setting, every).mean
            found.append(Point(setting, share, latency_ms(index, rows, queries, setting)))
        if found[-1].recall >= 1.0:
            break
    found.sort(key=lambda point: (point.latency_ms, -point.recall))
    best = np.maximum.accumulate([0.0, *(point.recall for point in found)])
    return tuple(point for point, before in zip(found, best, strict=False) if point.recall > before)
