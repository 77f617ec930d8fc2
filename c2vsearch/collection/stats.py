"""How large a version is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from c2vsearch.collection import layout

if TYPE_CHECKING:
    from c2vsearch.collection.collection import Collection


@dataclass(frozen=True, slots=True)
class Stats:
    """Sizes of a version. ``chunks`` counts live rows; ``deleted`` those that wait for compaction."""

    version: int
    versions: tuple[int, ...]
    chunks: int
    deleted: int
    shards: int
    segments: int
    bytes_shards: int
    bytes_vectors: int
    bytes_lexical: int


def sizes(collection: Collection) -> Stats:
    """Sizes of a version."""
    manifest = collection.manifest
    deleted = manifest.deletes.rows if manifest.deletes else 0
    lexical = manifest.lexical.files if manifest.lexical else ()
    return Stats(
        version=manifest.version,
        versions=tuple(layout.versions(collection.root)),
        chunks=sum(entry.rows for entry in manifest.shards) - deleted,
        deleted=deleted,
        shards=len(manifest.shards),
        segments=len(manifest.vectors),
        bytes_shards=sum(entry.size_bytes for entry in manifest.shards),
        bytes_vectors=sum(
            file.size_bytes
            for entry in manifest.vectors
            for file in (entry.file, *([entry.candidates.file] if entry.candidates else []))
        ),
        bytes_lexical=sum(entry.size_bytes for entry in lexical),
    )
