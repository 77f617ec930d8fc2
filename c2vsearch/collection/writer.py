"""The one writer of an index. What it adds becomes shards at once and a version at `commit`, or nothing.

A shard that was written before an interruption stays in ``shards/``: the next run finds the embeddings in it by
the hash of what was embedded and does not compute them again. Files no kept version names, and no run in the
last day wrote, are swept at the next commit.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import shutil
import time
from collections.abc import Collection as Items
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from c2vsearch import __version__, artifacts
from c2vsearch.collection import layout, tables
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.manifest import (
    FileEntry,
    LexicalEntry,
    Manifest,
    SegmentEntry,
    SourceState,
    describe,
    describe_fingerprint,
)
from c2vsearch.config import ChunkingConfig, IndexingConfig
from c2vsearch.errors import C2VSearchError, EncoderMismatch, IndexLocked, InvalidConfig
from c2vsearch.index import lexical, vectors
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards import SHARD_SUFFIX, Shard, write_shard

KEEP_VERSIONS = 3
PENDING_SECONDS = 24 * 3600.0
COMPACT_DELETED_SHARE = 0.5


class CollectionWriter:
    """Open with `CollectionWriter.open`; add, remove and record, then commit.

    One process at a time: the lock is the operating system's and is gone with the process that held it.
    """

    def __init__(self, root: Path, base: Collection | None, manifest: Manifest, indexing: IndexingConfig) -> None:
        self.root = root
        self.base = base
        self._manifest = manifest
        self._indexing = indexing
        self._sources = dict(base.sources) if base else {}
        self._initial_sources = dict(self._sources)
        self._deletes = {shard: set(rows) for shard, rows in base.deletes.items()} if base else {}
        self._added: list[FileEntry] = []
        self._buffer: list[tuple[Chunk, NDArray[np.float32]]] = []
        self._stale: set[str] = set()
        self._revived: set[str] = set()
        self._reusable: dict[str, tuple[Path, int]] | None = None

    @classmethod
    @contextmanager
    def open(
        cls, root: Path | str, *, fingerprint: Fingerprint, chunking: ChunkingConfig, reading: str = "",
        source_root: str = "", indexing: IndexingConfig | None = None, rebuild: bool = False,
    ) -> Iterator[Self]:  # fmt: skip
        """Take the lock and open the newest version for writing, creating the index when there is none.

        Args:
            root: The index directory.
            fingerprint: What makes the vectors that will be added.
            chunking: What makes the chunks.
            reading: A name for how files are read; when it changes every file is read again.
            source_root: The directory that is indexed, for `status` and for refusing another one.
            indexing: Sizes of shards and segments.
            rebuild: Start from nothing; the old versions stay readable until they are swept.

        Raises:
            IndexLocked: Another process is writing.
            EncoderMismatch: The index was built with another model.
            InvalidConfig: The directory holds something else, or the index belongs to another directory.
        """
        root = Path(root)
        _refuse_foreign(root)
        with artifacts.storage_errors():
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(root / layout.LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise IndexLocked(f"another process is writing to {root}; wait for it to finish, then try again") from error
        try:
            base = None if rebuild or not layout.versions(root) else Collection.open(root)
            if base is not None:
                _refuse_mismatch(root, base.manifest, fingerprint, source_root)
            newest = layout.versions(root)
            manifest = Manifest(
                version=(newest[-1] if newest else 0) + 1,
                parent=base.manifest.version if base else None,
                created="",
                written_by=__version__,
                root=source_root,
                fingerprint=fingerprint,
                chunking=chunking,
                reading=reading,
            )
            yield cls(root, base, manifest, indexing or IndexingConfig())
        finally:
            lock.release()

    @property
    def sources(self) -> dict[str, SourceState]:
        """How each source stood at the last commit, with what was recorded since."""
        return self._sources

    @property
    def settings_changed(self) -> str:
        """What differs between this run's settings and the last version's, in words; "" when nothing does."""
        if self.base is None:
            return ""
        old, new = self.base.manifest, self._manifest
        pairs = {**dataclasses.asdict(old.chunking), "reading": old.reading}
        now = {**dataclasses.asdict(new.chunking), "reading": new.reading}
        return ", ".join(f"{key} {pairs[key]} -> {now[key]}" for key in pairs if pairs[key] != now[key])

    def reusable_vectors(self, hashes: Items[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors already computed for chunks of these hashes, in live, deleted or unfinished rows alike."""
        places = self._hash_places()
        by_shard: dict[Path, list[tuple[str, int]]] = {}
        for chunk_hash in set(hashes):
            if chunk_hash in places:
                path, row = places[chunk_hash]
                by_shard.setdefault(path, []).append((chunk_hash, row))
        found: dict[str, NDArray[np.float32]] = {}
        for path, wanted in by_shard.items():
            rows = Shard(path).vectors_at([row for _, row in wanted]).astype(np.float32)
            found.update(zip((chunk_hash for chunk_hash, _ in wanted), rows, strict=True))
        return found

    def add(self, chunks: Sequence[Chunk], rows: NDArray[np.float32]) -> None:
        """Add chunks with their unit vectors. Shape: (N, D). Every full shard is on the disk when this returns."""
        self._buffer.extend(zip(chunks, rows, strict=True))
        while len(self._buffer) >= self._indexing.rows_per_shard:
            self._flush(self._indexing.rows_per_shard)

    def remove_source(self, source: str) -> None:
        """Forget a source and all its rows of earlier versions."""
        self._sources.pop(source, None)
        self._stale.add(source)

    def record_source(self, state: SourceState) -> None:
        """Say how a source stands now. Its chunks must have been added, and its old rows removed, before."""
        self._sources[state.source] = state

    def commit(self) -> int:
        """Publish everything since the last commit as one version, durably, and return its number.

        Without a change nothing is written and the number is that of the last version.
        """
        self._flush(len(self._buffer))
        self._delete_stale_rows()
        if self.base is not None and not self._changed():
            return self.base.manifest.version
        with artifacts.storage_errors():
            shards = self._compacted([*(self.base.manifest.shards if self.base else ()), *self._added])
            manifest = dataclasses.replace(
                self._manifest,
                created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                shards=tuple(shards),
                vectors=tuple(self._vector_segments(shards)),
                lexical=self._lexical(shards),
                deletes=self._write_deletes(),
                sources=describe(
                    self.root,
                    tables.write_sources(self.root / layout.SOURCES, self._sources.values()),
                    rows=len(self._sources),
                ),
                counts=self._counts(shards),
            )
            if not artifacts.create_exclusively(layout.manifest_path(self.root, manifest.version), manifest.to_bytes()):
                raise IndexLocked(f"version {manifest.version} of {self.root} appeared while it was written; try again")
        self._start_over(manifest)
        _sweep(self.root)
        return manifest.version

    # Shards.

    def _flush(self, rows: int) -> None:
        if rows == 0:
            return
        part, self._buffer = self._buffer[:rows], self._buffer[rows:]
        path = write_shard(
            self.root / layout.SHARDS,
            [chunk for chunk, _ in part],
            np.stack([row for _, row in part]),
            fingerprint=self._manifest.fingerprint,
            chunking=self._manifest.chunking,
        )
        entry = describe(self.root, path, rows=rows)
        known = self.base.manifest.shards if self.base else ()
        if all(entry.name != other.name for other in (*known, *self._added)):
            self._added.append(entry)
        else:  # the very same rows are in a shard of the last version: they count again, whatever was removed
            self._deletes.pop(entry.name, None)
            self._revived.add(entry.name)
        if self._reusable is not None:
            self._reusable.update({chunk.hash: (path, place) for place, (chunk, _) in enumerate(part)})

    def _hash_places(self) -> dict[str, tuple[Path, int]]:
        """Where each hash was embedded, over every shard in the directory that this encoder made."""
        if self._reusable is None:
            self._reusable = {}
            for path in sorted((self.root / layout.SHARDS).glob(f"*{SHARD_SUFFIX}")):
                try:
                    shard = Shard(path)
                    if shard.fingerprint == self._manifest.fingerprint:
                        rows = enumerate(shard.column("hash"))
                        self._reusable.update({value: (path, row) for row, value in rows})
                except C2VSearchError:
                    continue  # a damaged leftover gives no vectors; if a version needs it, reading it will say so
        return self._reusable

    def _delete_stale_rows(self) -> None:
        for entry in self.base.manifest.shards if self._stale and self.base else ():
            if entry.name in self._revived:
                continue
            sources = Shard(self.root / entry.name).column("source")
            gone = {row for row, source in enumerate(sources) if source in self._stale}
            if gone:
                self._deletes.setdefault(entry.name, set()).update(gone)
        self._stale.clear()
        self._revived.clear()

    def _compacted(self, shards: list[FileEntry]) -> list[FileEntry]:
        """Rewrite shards that are mostly deleted, and join many small ones; vectors are copied, not computed."""
        live = {entry.name: entry.rows - len(self._deletes.get(entry.name, ())) for entry in shards}
        limit = self._indexing.rows_per_shard
        small = [entry for entry in shards if live[entry.name] < limit // 2]
        worn = [entry for entry in shards if live[entry.name] < entry.rows * (1 - COMPACT_DELETED_SHARE)]
        chosen = {entry.name for entry in worn} | ({entry.name for entry in small} if len(small) > 8 else set())
        if not chosen:
            return shards
        before, self._added = self._added, []
        for entry in shards:
            if entry.name in chosen:
                shard, gone = Shard(self.root / entry.name), self._deletes.pop(entry.name, set())
                keep = [row for row in range(entry.rows) if row not in gone]
                if keep:
                    self.add(shard.chunks(keep), shard.vectors_at(keep).astype(np.float32))
        self._flush(len(self._buffer))
        rewritten, self._added = self._added, before
        return [entry for entry in shards if entry.name not in chosen] + rewritten

    # Segments and tables.

    def _vector_segments(self, shards: list[FileEntry]) -> list[SegmentEntry]:
        """Keep segments whose shards are all still there; put the rest, and small segments, into one new segment."""
        names = {entry.name for entry in shards}
        old = self.base.manifest.vectors if self.base else ()
        whole = [segment for segment in old if names.issuperset(segment.shards)]
        kept = [segment for segment in whole if segment.file.rows >= self._indexing.merge_below_rows]
        covered = {shard for segment in whole for shard in segment.shards}
        if covered == names:
            return whole
        covered = {shard for segment in kept for shard in segment.shards}
        rest = [entry for entry in shards if entry.name not in covered]
        return [*kept, *([self._new_segment(rest)] if rest else [])]

    def _new_segment(self, shards: list[FileEntry]) -> SegmentEntry:
        directory = self.root / layout.VECTORS
        directory.mkdir(exist_ok=True)
        temporary = directory / f"{artifacts.TEMPORARY_PREFIX}{os.getpid()}{vectors.VECTOR_SUFFIX}"
        blocks = (Shard(self.root / entry.name).vectors() for entry in shards)
        vectors.build_segment(temporary, blocks, dim=self._manifest.fingerprint.dim)
        path = directory / f"{artifacts.checksum(temporary)[:16]}{vectors.VECTOR_SUFFIX}"
        os.replace(temporary, path)
        artifacts.sync_directory(directory)
        rows = sum(entry.rows for entry in shards)
        return SegmentEntry(describe(self.root, path, rows=rows), "flat-fp16", tuple(entry.name for entry in shards))

    def _lexical(self, shards: list[FileEntry]) -> LexicalEntry:
        """The keyword index of the previous version, less the rows that are gone, plus the rows that are new."""
        previous = self.base.manifest.lexical if self.base else None
        if previous is not None and previous.analysis != lexical.ANALYSIS:
            previous = None
        had = self.base.deletes if self.base and previous else {}
        old_shards = {entry.name: entry for entry in self.base.manifest.shards} if self.base and previous else {}
        names = {entry.name for entry in shards}
        removed = [
            f"{name}:{row}"
            for name, entry in old_shards.items()
            for row in (
                range(entry.rows) if name not in names else self._deletes.get(name, set()) - had.get(name, set())
            )
        ]
        fresh = [entry for entry in shards if entry.name not in old_shards]
        returned = {name: rows - self._deletes.get(name, set()) for name, rows in had.items() if name in names}
        name = f"{layout.LEXICAL}/{self._manifest.version:08d}-{os.urandom(4).hex()}"
        lexical.write_version(
            self.root / name,
            previous=self.root / previous.directory if previous else None,
            added=self._lexical_rows(fresh, returned),
            removed=removed,
        )
        files = sorted((self.root / name).iterdir())
        documents = sum(entry.rows - len(self._deletes.get(entry.name, ())) for entry in shards)
        return LexicalEntry(name, lexical.ANALYSIS, documents, tuple(describe(self.root, path) for path in files))

    def _lexical_rows(self, fresh: list[FileEntry], returned: dict[str, set[int]]) -> Iterator[tuple[str, Chunk]]:
        for entry in fresh:
            gone = self._deletes.get(entry.name, set())
            for row, chunk in enumerate(Shard(self.root / entry.name).iter_chunks()):
                if row not in gone:
                    yield f"{entry.name}:{row}", chunk
        for name, rows in returned.items():
            ordered = sorted(rows)
            for row, chunk in zip(ordered, Shard(self.root / name).chunks(ordered), strict=True):
                yield f"{name}:{row}", chunk

    def _write_deletes(self) -> FileEntry | None:
        deletes = {shard: rows for shard, rows in self._deletes.items() if rows}
        if not deletes:
            return None
        path = tables.write_deletes(self.root / layout.DELETES, deletes)
        return describe(self.root, path, rows=sum(map(len, deletes.values())))

    def _counts(self, shards: list[FileEntry]) -> dict[str, int]:
        by_status: dict[str, int] = {}
        for state in self._sources.values():
            by_status[state.status] = by_status.get(state.status, 0) + 1
        rows = sum(entry.rows - len(self._deletes.get(entry.name, ())) for entry in shards)
        return {"chunks": rows, **{f"sources_{status}": count for status, count in sorted(by_status.items())}}

    def _changed(self) -> bool:
        assert self.base is not None
        return bool(
            self._added
            or self._sources != self._initial_sources
            or self._deletes != self.base.deletes
            or self.settings_changed
            or self.base.manifest.root != self._manifest.root
        )

    def _start_over(self, manifest: Manifest) -> None:
        self.base = Collection(self.root, manifest)
        self._manifest = dataclasses.replace(manifest, version=manifest.version + 1, parent=manifest.version)
        self._initial_sources = dict(self._sources)
        self._deletes = {shard: set(rows) for shard, rows in self._deletes.items() if rows}
        self._added = []


def _refuse_foreign(root: Path) -> None:
    if root.is_file():
        raise InvalidConfig(f"{root} is a file; expected a directory for the index")
    if root.is_dir() and not layout.is_index(root):
        strangers = [path.name for path in root.iterdir() if path.name != layout.LOCK]
        if strangers:
            raise InvalidConfig(
                f"{root} is not an index and is not empty (it holds {strangers[0]!r}); give another place with --index"
            )


def _refuse_mismatch(root: Path, old: Manifest, fingerprint: Fingerprint, source_root: str) -> None:
    if old.fingerprint != fingerprint:
        raise EncoderMismatch(
            f"{root} was built with {describe_fingerprint(old.fingerprint)}; this run uses "
            f"{describe_fingerprint(fingerprint)}: use the same model, or add --rebuild to embed everything again"
        )
    if source_root and old.root and old.root != source_root:
        raise InvalidConfig(
            f"{root} is the index of {old.root}; expected {source_root}: give another place with --index, or --rebuild"
        )


def _sweep(root: Path) -> None:
    """Drop versions beyond the last few, and files that no kept version names.

    A reader that pinned a dropped version keeps the files it has open; what it opens later is missing.
    """
    numbers = layout.versions(root)
    for number in numbers[:-KEEP_VERSIONS]:
        layout.manifest_path(root, number).unlink(missing_ok=True)
    needed: set[str] = set()
    for number in numbers[-KEEP_VERSIONS:]:
        try:
            needed.update(entry.name for entry in layout.open_manifest(root, number).files())
        except C2VSearchError:
            return  # a manifest that cannot be read may need any file: sweep nothing
    directories = {str(Path(name).parent) for name in needed}
    for room in (layout.SHARDS, layout.VECTORS, layout.DELETES, layout.SOURCES):
        for path in sorted((root / room).glob("*")):
            if f"{room}/{path.name}" not in needed and not _pending(path):
                path.unlink(missing_ok=True)
    for path in sorted((root / layout.LEXICAL).glob("*")):
        if f"{layout.LEXICAL}/{path.name}" not in directories:
            shutil.rmtree(path, ignore_errors=True)


def _pending(path: Path) -> bool:
    """A shard of an unfinished run, kept for a day so that its embeddings can be reused."""
    is_shard = path.suffix == SHARD_SUFFIX and not path.name.startswith(artifacts.TEMPORARY_PREFIX)
    return path.parent.name == layout.SHARDS and is_shard and time.time() - path.stat().st_mtime < PENDING_SECONDS
