"""Which vector segments a version has: big ones are kept as they are, small ones are merged with what is new.

While exact search is fast, segments are flat. Beyond that what is new becomes a segment with candidates, and such
segments are merged as digits carry: each is less than half as large as the one before it, so that there are few of
them and a row is built anew only as often as the index doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.compaction import Live, open_entry
from c2vsearch.collection.manifest import CandidatesEntry, FileEntry, SegmentEntry, ShardEntry, describe
from c2vsearch.collection.questions import Questions
from c2vsearch.config import IndexSpec
from c2vsearch.errors import CorruptFile
from c2vsearch.index.calibration import Queries
from c2vsearch.index.choice import choose, is_exact
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.shards.checked import file_hashes

SUFFIX = ".faiss"
FLAT = "flat-fp16"
# A flat segment is hashed whole before it is first used: this bounds what one takes, at 400 MB for 768 dimensions.
MAX_SEGMENT_ROWS = 262_144
# A segment is built anew when more than this share of its rows lies in shards that are gone.
GONE_SHARE = 0.25
OWN_ROWS = 100
SEED = 29


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What segments are to be like.

    Args:
        spec: How vectors are to be searched.
        dim: D.
        merge_below_rows: A segment of fewer rows is merged when there is something to merge it with.
        device: Where an approximate index is built.
        on_build: Told of how many rows one is built, before it is: that can take a while.
        questions: Gives what an approximate index is calibrated with, when there is one to build.
    """

    spec: IndexSpec
    dim: int
    merge_below_rows: int
    questions: Callable[[], Questions]
    device: str
    on_build: Callable[[int], None] = lambda rows: None

    def exact(self, rows: int) -> bool:
        """Whether so many rows are searched exactly."""
        return is_exact(self.spec, rows=rows, dim=self.dim)


def planned_segments(
    root: Path, before: Sequence[SegmentEntry], shards: Sequence[ShardEntry], live: Live, plan: Plan
) -> list[SegmentEntry]:
    """The segments over the shards of the next version; writes those that are new.

    Args:
        root: The index directory.
        before: Segments of the version before.
        shards: Shards of the next version.
        live: Whether each row of each shard counts.
        plan: What they are to be like.
    """
    names = {entry.name for entry in shards}
    kept = [_as_planned(each, plan) for each in before if _gone(each, names) <= GONE_SHARE * each.file.rows]
    flat = [segment for segment in kept if not segment.candidates]
    indexed = [segment for segment in kept if segment.candidates]
    new = _uncovered(shards, kept)
    if plan.exact(_rows(flat) + sum(entry.rows for entry in new)):
        return indexed + _flat_segments(root, flat, shards, indexed, plan)
    group = flat
    while indexed and _rows(indexed[-1:]) <= 2 * (_rows(group) + sum(entry.rows for entry in new)):
        group = [indexed.pop(), *group]
    if len(group) == 1 and not new:  # its rows are on the disk as they have to be
        merged = group[0]
    else:
        merged = _write_flat(root, [entry for entry in shards if not _covers(indexed, entry)], plan.dim)
    return [*indexed, _with_candidates(root, merged, live, plan)]


def _flat_segments(
    root: Path, flat: Sequence[SegmentEntry], shards: Sequence[ShardEntry], indexed: Sequence[SegmentEntry], plan: Plan
) -> list[SegmentEntry]:
    """Flat segments over all that the others do not have."""
    if not _uncovered(shards, [*flat, *indexed]):
        return list(flat)
    large = [segment for segment in flat if segment.file.rows >= plan.merge_below_rows]
    groups = _groups(_uncovered(shards, [*large, *indexed]))
    return large + [_write_flat(root, group, plan.dim) for group in groups]


def _as_planned(segment: SegmentEntry, plan: Plan) -> SegmentEntry:
    """Without its candidates where something else is wanted now."""
    wanted = segment.candidates is None or segment.candidates.spec == plan.spec.searching
    return segment if wanted else replace(segment, candidates=None)


def _gone(segment: SegmentEntry, names: set[str]) -> int:
    return sum(rows for name, rows in zip(segment.shards, segment.rows, strict=True) if name not in names)


def _rows(segments: Iterable[SegmentEntry]) -> int:
    return sum(segment.file.rows for segment in segments)


def _covers(segments: Iterable[SegmentEntry], entry: ShardEntry) -> bool:
    return any(entry.name in segment.shards for segment in segments)


def _uncovered(shards: Sequence[ShardEntry], segments: Iterable[SegmentEntry]) -> list[ShardEntry]:
    covered = {name for segment in segments for name in segment.shards}
    return [entry for entry in shards if entry.name not in covered]


def _groups(shards: Sequence[ShardEntry]) -> list[list[ShardEntry]]:
    groups: list[list[ShardEntry]] = []
    for entry in shards:
        if groups and sum(other.rows for other in groups[-1]) + entry.rows <= MAX_SEGMENT_ROWS:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _write_flat(root: Path, shards: Sequence[ShardEntry], dim: int) -> SegmentEntry:
    """A segment of some shards, with one of them in memory at a time."""
    rows = sum(entry.rows for entry in shards)
    parts = (_vectors(root, entry) for entry in shards)
    file = _written(root, lambda path: write_rows(path, parts, dim=dim, rows=rows), rows)
    return SegmentEntry(file, FLAT, tuple(entry.name for entry in shards), tuple(entry.rows for entry in shards))


def _vectors(root: Path, entry: ShardEntry) -> NDArray[np.float16]:
    with open_entry(root, entry) as shard:
        return shard.vectors()


def _with_candidates(root: Path, segment: SegmentEntry, live: Live, plan: Plan) -> SegmentEntry:
    """The segment with the compact index that does what is wanted; calibrated with questions and rows of its own."""
    path, count = root / segment.file.name, segment.file.rows
    plan.on_build(count)
    sha256, blocks = file_hashes(path)
    if sha256 != segment.file.sha256:
        raise CorruptFile(f"{path} is damaged; mend it with: c2vsearch verify --repair --index {root}")
    rows = RowFile(path, size_bytes=segment.file.size_bytes, blocks=blocks, dim=plan.dim, rows=count)
    try:
        queries = _queries(plan.questions(), rows, _counting(segment, live))
        chosen = choose(plan.spec, rows, queries, dim=plan.dim, device=plan.device)
        file = _written(root, chosen.index.save, count)
    finally:
        rows.close()
    made = CandidatesEntry(file, chosen.index.kind, plan.spec.searching, chosen.few, chosen.many, chosen.meets, blocks)
    return replace(segment, candidates=made)


def _queries(questions: Questions, rows: RowFile, counting: NDArray[np.int64]) -> Queries:
    own = np.random.default_rng(SEED).choice(counting, size=min(OWN_ROWS, len(counting)), replace=False)
    own = np.sort(own).astype(np.int64)
    return Queries(
        np.concatenate([questions.vectors, rows.take(own)]),
        (*questions.sorts, *("row" for _ in own)),
        np.concatenate([np.full(len(questions), -1, dtype=np.int64), own]),
    )


def _counting(segment: SegmentEntry, live: Live) -> NDArray[np.int64]:
    """Positions in a segment that count, or all where none does."""
    masks = [
        live.get(name, np.zeros(rows, dtype=np.bool_)) for name, rows in zip(segment.shards, segment.rows, strict=True)
    ]
    found = np.flatnonzero(np.concatenate(masks))
    return found if len(found) > 1 else np.arange(segment.file.rows)


def _written(root: Path, write: Callable[[Path], None], rows: int) -> FileEntry:
    """A file of the index, named after its content."""
    return describe(root, artifacts.write_named_by_content(root / layout.VECTORS, write, suffix=SUFFIX), rows=rows)
