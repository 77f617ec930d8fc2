"""What a version of an index consists of: every file with its rows, bytes and hash, and what made them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from c2vsearch import artifacts
from c2vsearch.collection.roots import Root, parse_root, placed
from c2vsearch.config import ChunkingConfig, IndexSpec
from c2vsearch.errors import CorruptFile, IncompatibleVersion, InvalidConfig
from c2vsearch.index.measured import Measured, Recall, Setting
from c2vsearch.records import FileReport, FileStatus, Fingerprint
from c2vsearch.task import Task

FORMAT = 2
_PLAIN_NAME = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9._-]*(/\.?[A-Za-z0-9][A-Za-z0-9._-]*){0,2}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One immutable file: its path below the index, rows (0 where it has none), bytes and SHA-256."""

    name: str
    size_bytes: int
    sha256: str
    rows: int = 0

    def __post_init__(self) -> None:
        _expect_plain(self.name)
        if type(self.rows) is not int or type(self.size_bytes) is not int or self.rows < 0 or self.size_bytes < 0:
            raise ValueError(f"{self.name} has {self.rows!r} rows and {self.size_bytes!r} bytes")


@dataclass(frozen=True, slots=True)
class ShardEntry(FileEntry):
    """A shard. ``blocks`` holds the first 16 hex digits of the SHA-256 of each block of 256 KiB."""

    blocks: str = ""


@dataclass(frozen=True, slots=True)
class CandidatesEntry:
    """A compact index over the rows of a segment, and what was measured of it when it was built.

    Args:
        file: The FAISS file.
        kind: Its factory string.
        spec: What was asked for.
        few: How it is asked for ten rows, the recall and milliseconds that gave.
        many: The same for a hundred.
        meets: Whether that is what was asked for.
        row_blocks: Hashes of the blocks of the segment's own file, so that single rows of it can be read.
    """

    file: FileEntry
    kind: str
    spec: IndexSpec
    few: Measured
    many: Measured
    meets: bool
    row_blocks: str


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A FAISS file of rows and the shards they are of, in order: ``rows[i]`` rows of ``shards[i]``.

    A shard that the version no longer has was rewritten without its deleted rows: its rows here do not count. Where
    there are ``candidates`` they are searched, and their rows compared; else all rows are.
    """

    file: FileEntry
    kind: str
    shards: tuple[str, ...]
    rows: tuple[int, ...]
    candidates: CandidatesEntry | None = None


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """A tantivy directory, its files, and the analysis that made its terms."""

    directory: str
    analysis: str
    documents: int
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one file stood at the last sync. ``status`` is "indexed", "empty", "skipped" or "failed".

    ``documents`` and ``chunks`` are what it gave, ``refused`` what inside it could not be read.
    """

    source: str
    size_bytes: int
    mtime_ns: int
    content_hash: str = ""
    doc_id: str = ""
    status: str = "indexed"
    reason: str = ""
    detail: str = ""
    chunks: int = 0
    documents: int = 0
    refused: tuple[FileReport, ...] = ()

    def reports(self) -> list[FileReport]:
        """What a person should know of it: why it is not searchable, and what inside it is not."""
        own = FileReport(self.source, cast(FileStatus, self.status), self.reason, self.detail)
        return [*([own] if self.status != "indexed" else []), *self.refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One version.

    ``deletes`` lists rows of ``shards`` that do not count, ``index`` is how vectors are searched, ``task`` what for,
    where a query does not say.
    """

    version: int
    parent: int | None
    created: str
    written_by: str
    roots: tuple[Root, ...]
    fingerprint: Fingerprint
    chunking: ChunkingConfig
    shards: tuple[ShardEntry, ...] = ()
    vectors: tuple[SegmentEntry, ...] = ()
    lexical: LexicalEntry | None = None
    deletes: FileEntry | None = None
    sources: FileEntry | None = None
    index: IndexSpec = IndexSpec()
    task: Task | None = None
    questions: FileEntry | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def files(self) -> list[FileEntry]:
        """Every file this version needs."""
        lexical = list(self.lexical.files) if self.lexical else []
        return [
            *self.shards,
            *(segment.file for segment in self.vectors),
            *(segment.candidates.file for segment in self.vectors if segment.candidates),
            *lexical,
            *(entry for entry in (self.deletes, self.sources, self.questions) if entry),
        ]

    def to_bytes(self) -> bytes:
        """The manifest as it is written: ``sha256`` is over the same JSON without that key."""
        data = {"format": FORMAT, **dataclasses.asdict(self), "index": _told(self.index)}
        for segment, told in zip(self.vectors, data["vectors"], strict=True):
            if segment.candidates:
                told["candidates"]["spec"] = _told(segment.candidates.spec)
        return artifacts.to_json({**data, "sha256": _seal(data)})


def _told(spec: IndexSpec) -> dict[str, Any]:
    """A spec as written: earlier versions of c2vsearch know no ``token_codes``, and need none where it is usual."""
    data = dataclasses.asdict(spec)
    return {key: value for key, value in data.items() if key != "token_codes" or value != IndexSpec.token_codes}


def read_manifest(path: Path) -> Manifest:
    """Read and validate one manifest.

    Raises:
        FileNotFoundError: There is none.
        CorruptFile: It is not a manifest, was changed after it was written, or names a path outside the index.
        IncompatibleVersion: It was written in another format.
    """
    return manifest_of(path.read_bytes(), path)


def manifest_of(written: bytes, path: Path) -> Manifest:
    """The manifest in the bytes of a file, as `read_manifest` gives it. ``path`` is where they lie."""
    data = artifacts.parse_json(written, path)
    found = data.get("format")
    if found != FORMAT and type(found) is int:
        writer = f" (it was written by c2vsearch {data['written_by']})" if "written_by" in data else ""
        raise IncompatibleVersion(
            f"{path} has index format {found}{writer}; this version of c2vsearch reads {FORMAT}: upgrade c2vsearch, or "
            "build the index again with --rebuild"
        )
    # The bytes as well, not only what they say: white space that came or went is damage too.
    whole = artifacts.to_json(data) == written
    sealed = data.pop("sha256", None)
    if not whole or sealed != _seal(data):
        raise CorruptFile(f"{path} is damaged: it is not what was written")
    try:
        manifest = _parse(data)
        _check(manifest, path)
        index = path.resolve().parent.parent
        manifest = dataclasses.replace(manifest, roots=tuple(placed(root, index) for root in manifest.roots))
    except (TypeError, KeyError, ValueError, AttributeError, InvalidConfig) as error:
        raise CorruptFile(f"{path} is not a manifest of an index: {error}") from error
    return manifest


def _seal(data: dict[str, Any]) -> str:
    return hashlib.sha256(artifacts.to_json(data)).hexdigest()


def _parse(data: dict[str, Any]) -> Manifest:
    lexical = data["lexical"]
    known = {field.name for field in dataclasses.fields(Manifest)}
    return Manifest(
        **{
            **{key: value for key, value in data.items() if key in known},
            "fingerprint": Fingerprint(**data["fingerprint"]),
            "chunking": ChunkingConfig(**data["chunking"]),
            "roots": tuple(parse_root(root) for root in data["roots"]),
            "shards": tuple(ShardEntry(**entry) for entry in data["shards"]),
            "vectors": tuple(_parse_segment(entry) for entry in data["vectors"]),
            "lexical": lexical
            and LexicalEntry(**{**lexical, "files": tuple(FileEntry(**entry) for entry in lexical["files"])}),
            "deletes": data["deletes"] and FileEntry(**data["deletes"]),
            "sources": data["sources"] and FileEntry(**data["sources"]),
            # Not in what earlier versions of c2vsearch wrote.
            "index": IndexSpec(**data.get("index", {})),
            "task": data.get("task") and Task(**data["task"]),
            "questions": data.get("questions") and FileEntry(**data["questions"]),
        }
    )


def _parse_segment(entry: dict[str, Any]) -> SegmentEntry:
    found = entry.get("candidates")
    candidates = found and CandidatesEntry(
        FileEntry(**found["file"]), found["kind"], IndexSpec(**found["spec"]), _parse_measured(found["few"]),
        _parse_measured(found["many"]), bool(found["meets"]), str(found["row_blocks"]),
    )  # fmt: skip
    return SegmentEntry(
        FileEntry(**entry["file"]), entry["kind"], tuple(entry["shards"]), tuple(entry["rows"]), candidates
    )


def _parse_measured(data: dict[str, Any]) -> Measured:
    return Measured(Setting(**data["setting"]), Recall(**data["recall"]), float(data["latency_ms"]))


def _check(manifest: Manifest, path: Path) -> None:
    """What the parts say of each other must agree."""
    if manifest.version != int(path.stem):
        raise ValueError(f"it is version {manifest.version}")
    names = [entry.name for entry in manifest.files()]
    if len(set(names)) != len(names):
        raise ValueError("it names a file twice")
    if manifest.lexical:
        _expect_plain(manifest.lexical.directory)
        if any(Path(entry.name).parent.as_posix() != manifest.lexical.directory for entry in manifest.lexical.files):
            raise ValueError(f"files of the keyword index lie outside {manifest.lexical.directory}")
    covered: list[tuple[str, int]] = []
    for segment in manifest.vectors:
        covered += zip(segment.shards, segment.rows, strict=True)
        if sum(segment.rows) != segment.file.rows:
            raise ValueError(f"{segment.file.name} has other rows than its shards")
        if segment.candidates and segment.candidates.file.rows != segment.file.rows:
            raise ValueError(f"{segment.candidates.file.name} has other rows than its segment")
    shards = {entry.name: entry.rows for entry in manifest.shards}
    if sorted(pair for pair in covered if pair[0] in shards) != sorted(shards.items()):
        raise ValueError("a shard is in no segment, or in two")
    live = sum(shards.values()) - (manifest.deletes.rows if manifest.deletes else 0)
    documents = manifest.lexical.documents if manifest.lexical else 0
    if not live == documents == manifest.counts["chunks"]:
        raise ValueError(f"it counts {manifest.counts['chunks']} chunks of {live} rows and {documents} documents")


def _expect_plain(name: str) -> None:
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"it names {name!r}; expected a plain path inside the index")


def describe(root: Path, path: Path, *, rows: int = 0) -> FileEntry:
    """The entry of a finished file."""
    return FileEntry(path.relative_to(root).as_posix(), path.stat().st_size, artifacts.checksum(path), rows)


def describe_fingerprint(fingerprint: Fingerprint) -> str:
    """A fingerprint in a few words.

    >>> describe_fingerprint(Fingerprint("c2v-mini", "0123456789abcdef", 768, "concat"))
    'c2v-mini@01234567 (768 dimensions)'
    """
    return f"{fingerprint.name}@{fingerprint.revision[:8]} ({fingerprint.dim} dimensions)"


def changed_settings(old: Manifest, *, chunking: ChunkingConfig, roots: Iterable[Root]) -> str:
    """What differs from the settings of a version, in words; "" when nothing does. New roots change nothing."""
    before, now = dataclasses.asdict(old.chunking), dataclasses.asdict(chunking)
    changes = [f"{key} {before[key]} -> {now[key]}" for key in before if before[key] != now[key]]
    readers = {root.path: root.reader for root in old.roots}
    for root in roots:
        if readers.get(root.path, root.reader) != root.reader:
            changes.append(f"reading {readers[root.path]} -> {root.reader}")
    return ", ".join(dict.fromkeys(changes))


def searched(manifest: Manifest) -> tuple[str, ...]:
    """How vectors are searched, in words: a line for each segment that is approximate, one for all others."""
    lines = []
    for segment in manifest.vectors:
        if made := segment.candidates:
            few = made.few
            found = f"recall@{few.recall.at} {few.recall.mean:.3f} ({few.recall.low:.3f} to {few.recall.high:.3f})"
            short = "" if made.meets else f"; {_wish(made.spec)} was asked for and not reached"
            lines.append(f"{segment.file.rows:,} rows by {made.kind}: {found}, {few.latency_ms:.1f} ms{short}")
    if exact := sum(segment.file.rows for segment in manifest.vectors if not segment.candidates):
        lines.append(f"{exact:,} rows exactly")
    return tuple(lines)


def _wish(spec: IndexSpec) -> str:
    limits = [
        *([f"{spec.max_latency_ms:g} ms"] if spec.max_latency_ms else []),
        *([f"{spec.max_memory_bytes / 1e9:g} GB"] if spec.max_memory_bytes else []),
    ]
    return " within ".join([f"{spec.target_recall:g}", " and ".join(limits)] if limits else [f"{spec.target_recall:g}"])
