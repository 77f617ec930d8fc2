"""Which FAISS segments a version has: big ones are kept as they are, small ones are merged with what is new."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.compaction import open_entry
from c2vsearch.collection.manifest import SegmentEntry, ShardEntry, describe
from c2vsearch.index import vectors

# A segment is built in memory: this bounds it, at 400 MB for 768 dimensions.
MAX_SEGMENT_ROWS = 262_144
# A segment is built anew when more than this share of its rows lies in shards that are gone.
GONE_SHARE = 0.25


def planned_segments(
    root: Path, before: Sequence[SegmentEntry], shards: Sequence[ShardEntry], *, merge_below_rows: int, dim: int
) -> list[SegmentEntry]:
    """The segments over the shards of the next version; writes those that are new.

    Args:
        root: The index directory.
        before: Segments of the version before.
        shards: Shards of the next version.
        merge_below_rows: A segment of fewer rows is merged when there is something to merge it with.
        dim: D.
    """
    names = {entry.name for entry in shards}
    kept = [segment for segment in before if _gone(segment, names) <= GONE_SHARE * segment.file.rows]
    if names.issubset({name for segment in kept for name in segment.shards}):
        return kept
    kept = [segment for segment in kept if segment.file.rows >= merge_below_rows]
    covered = {name for segment in kept for name in segment.shards}
    return kept + [_build(root, group, dim) for group in _groups([e for e in shards if e.name not in covered])]


def _gone(segment: SegmentEntry, names: set[str]) -> int:
    return sum(rows for name, rows in zip(segment.shards, segment.rows, strict=True) if name not in names)


def _groups(shards: Sequence[ShardEntry]) -> list[list[ShardEntry]]:
    groups: list[list[ShardEntry]] = []
    for entry in shards:
        if groups and sum(other.rows for other in groups[-1]) + entry.rows <= MAX_SEGMENT_ROWS:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _build(root: Path, shards: Sequence[ShardEntry], dim: int) -> SegmentEntry:
    directory = root / layout.VECTORS
    temporary = directory / f"{artifacts.TEMPORARY_PREFIX}{secrets.token_hex(6)}{vectors.VECTOR_SUFFIX}"
    try:
        vectors.build_segment(temporary, (open_entry(root, entry).vectors() for entry in shards), dim=dim)
        built = describe(root, temporary, rows=sum(entry.rows for entry in shards))
        path = directory / f"{built.sha256[:16]}{vectors.VECTOR_SUFFIX}"
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    artifacts.sync_directory(directory)
    file = type(built)(path.relative_to(root).as_posix(), built.size_bytes, built.sha256, built.rows)
    return SegmentEntry(
        file, vectors.KIND, tuple(entry.name for entry in shards), tuple(entry.rows for entry in shards)
    )
