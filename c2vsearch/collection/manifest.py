"""What a version of an index consists of: every file with its rows, bytes and hash, and what made them."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2vsearch import artifacts
from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import CorruptFile, IncompatibleVersion, InvalidConfig
from c2vsearch.records import Fingerprint

FORMAT = 1
_PLAIN_NAME = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9._-]*(/\.?[A-Za-z0-9][A-Za-z0-9._-]*){0,2}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One immutable file: its path below the index, rows (0 where it has none), bytes and SHA-256."""

    name: str
    size_bytes: int
    sha256: str
    rows: int = 0

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.name) or self.rows < 0 or self.size_bytes < 0:
            raise CorruptFile(
                f"the manifest names {self.name!r} ({self.rows} rows); expected a plain path inside the index"
            )


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A FAISS file and the shards whose rows it holds, in order."""

    file: FileEntry
    kind: str
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """A tantivy directory, its files, and the analysis that made its terms."""

    directory: str
    analysis: str
    documents: int
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one file stood at the last sync. ``status`` is "indexed", "skipped" or "failed"."""

    source: str
    size_bytes: int
    mtime_ns: int
    content_hash: str = ""
    doc_id: str = ""
    status: str = "indexed"
    reason: str = ""
    detail: str = ""
    chunks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One version. ``deletes`` lists rows of ``shards`` that no longer count."""

    version: int
    parent: int | None
    created: str
    written_by: str
    root: str
    fingerprint: Fingerprint
    chunking: ChunkingConfig
    reading: str
    shards: tuple[FileEntry, ...] = ()
    vectors: tuple[SegmentEntry, ...] = ()
    lexical: LexicalEntry | None = None
    deletes: FileEntry | None = None
    sources: FileEntry | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def files(self) -> list[FileEntry]:
        """Every file this version needs."""
        lexical = list(self.lexical.files) if self.lexical else []
        return [
            *self.shards,
            *(segment.file for segment in self.vectors),
            *lexical,
            *(entry for entry in (self.deletes, self.sources) if entry),
        ]

    def to_bytes(self) -> bytes:
        """The manifest as it is written."""
        return artifacts.to_json({"format": FORMAT, **dataclasses.asdict(self)})


def read_manifest(path: Path) -> Manifest:
    """Read and validate one manifest.

    Raises:
        CorruptFile: It is not a manifest, or names a path outside the index.
        IncompatibleVersion: It was written in another format.
    """
    data = artifacts.read_json(path)
    if (found := data.pop("format", None)) != FORMAT:
        raise IncompatibleVersion(
            f"{path} has index format {found!r}; this version of c2vsearch reads {FORMAT}: upgrade c2vsearch, or build "
            "the index again"
        )
    try:
        return _parse(data)
    except (TypeError, KeyError, ValueError, AttributeError, InvalidConfig) as error:
        raise CorruptFile(f"{path} is not a manifest of an index: {error}") from error


def _parse(data: dict[str, Any]) -> Manifest:
    lexical = data["lexical"]
    return Manifest(
        **{
            **data,
            "fingerprint": Fingerprint(**data["fingerprint"]),
            "chunking": ChunkingConfig(**data["chunking"]),
            "shards": tuple(FileEntry(**entry) for entry in data["shards"]),
            "vectors": tuple(
                SegmentEntry(FileEntry(**entry["file"]), entry["kind"], tuple(entry["shards"]))
                for entry in data["vectors"]
            ),
            "lexical": lexical
            and LexicalEntry(**{**lexical, "files": tuple(FileEntry(**entry) for entry in lexical["files"])}),
            "deletes": data["deletes"] and FileEntry(**data["deletes"]),
            "sources": data["sources"] and FileEntry(**data["sources"]),
        }
    )


def describe(root: Path, path: Path, *, rows: int = 0) -> FileEntry:
    """The entry of a finished file."""
    return FileEntry(path.relative_to(root).as_posix(), path.stat().st_size, artifacts.checksum(path), rows)


def describe_fingerprint(fingerprint: Fingerprint) -> str:
    """A fingerprint in a few words.

    >>> describe_fingerprint(Fingerprint("c2v-mini", "0123456789abcdef", 768, "concat"))
    'c2v-mini@01234567 (768 dimensions)'
    """
    return f"{fingerprint.name}@{fingerprint.revision[:8]} ({fingerprint.dim} dimensions)"
