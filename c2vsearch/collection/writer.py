"""The one writer of an index. What it adds becomes shards at once and a version at `commit`, or nothing.

A shard that was written before an interruption stays in ``shards/``: the next run finds the embeddings in it by
the hash of what was embedded and does not compute them again.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Collection as Items
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from c2vsearch import __version__, artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.asking import Asking
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.compaction import Live, compacted, entry_of, open_entry
from c2vsearch.collection.deletes import Deletes, write_deletes
from c2vsearch.collection.history import publish
from c2vsearch.collection.keywords import next_keywords, words_changed
from c2vsearch.collection.lock import write_lock
from c2vsearch.collection.manifest import (
    FileEntry,
    Manifest,
    ShardEntry,
    SourceState,
    changed_settings,
    describe,
)
from c2vsearch.collection.mismatch import refuse_mismatch
from c2vsearch.collection.questions import Encode
from c2vsearch.collection.reuse import ReusableRows
from c2vsearch.collection.roots import Root, joined
from c2vsearch.collection.segments import MAX_SEGMENT_ROWS, Plan, planned_segments
from c2vsearch.collection.sources import SourceTable, write_sources
from c2vsearch.collection.staging import Outcome, Staging
from c2vsearch.collection.sweep import sweep
from c2vsearch.config import ChunkingConfig, IndexingConfig, IndexSpec
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards import check_codes, check_vectors, write_shard, write_table
from c2vsearch.task import Task


class CollectionWriter:
    """Open with `CollectionWriter.open`; add, remove and record, then commit.

    One process at a time: the lock is the operating system's and is gone with the process that held it.
    """

    def __init__(
        self, root: Path, base: Collection | None, manifest: Manifest, indexing: IndexingConfig,
        encode: Encode | None = None, token_codec: str = "",
    ) -> None:  # fmt: skip
        self._encode, self._codec = encode, token_codec
        self.root = root
        self.base = base
        self._manifest = manifest
        self._indexing = indexing
        self._staging = Staging()
        self._added: list[ShardEntry] = []
        self._buffer: list[tuple[Chunk, NDArray[np.float32], bytes | None]] = []
        self._reusable = ReusableRows(root, base=base, fingerprint=manifest.fingerprint, codec=token_codec)

    @classmethod
    @contextmanager
    def open(  # noqa: PLR0913  (a public door: every argument is a named choice)
        cls, root: Path | str, *, fingerprint: Fingerprint, chunking: ChunkingConfig, roots: Sequence[Root] = (),
        indexing: IndexingConfig | None = None, spec: IndexSpec | None = None, encode: Encode | None = None,
        rebuild: bool = False, token_codec: str = "",
    ) -> Iterator[Self]:  # fmt: skip
        """Take the lock and open the newest version for writing, creating the index when there is none.

        Args:
            root: The index directory.
            fingerprint: What makes the vectors that will be added.
            chunking: What makes the chunks.
            roots: What is indexed, beside or in the place of the roots that the last version has.
            indexing: Sizes of shards and segments.
            spec: How vectors are to be searched; as in the last version by default.
            encode: Queries to unit vectors, to calibrate an approximate index with; None to do with those of the last
                version.
            rebuild: Start from nothing; the old versions stay readable until they are swept.
            token_codec: The identity of what makes the codes that will be added; "" when there will be none.

        Raises:
            IndexLocked: Another process is writing.
            EncoderMismatch: The index was built with another model.
            InvalidConfig: The directory holds something else, or a root lies in another.
            CorruptFile: The newest version is damaged; ``rebuild`` does not read it.
        """
        root = Path(root)
        layout.refuse_foreign(root)
        with artifacts.storage_errors():
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with write_lock(root):
            with artifacts.storage_errors():
                for room in layout.ROOMS:
                    (root / room).mkdir(exist_ok=True)
                artifacts.sync_directory(root)
            numbers = layout.versions(root)
            base = None if rebuild or not numbers else Collection.open(root)
            if base is not None:
                refuse_mismatch(root, base.manifest, fingerprint)
                len(base.sources)  # damage is told before anything is embedded
            manifest = Manifest(
                version=(numbers[-1] if numbers else 0) + 1,
                parent=base.manifest.version if base else None,
                created="",
                written_by=__version__,
                roots=joined(base.manifest.roots if base else (), roots),
                fingerprint=fingerprint,
                chunking=chunking,
                index=spec or (base.manifest.index if base else IndexSpec()),
                task=base.manifest.task if base else None,
            )
            yield cls(root, base, manifest, indexing or IndexingConfig(), encode, token_codec)

    @property
    def sources(self) -> SourceTable:
        """How each source stood at the last commit."""
        return self.base.sources if self.base else SourceTable()

    @property
    def roots(self) -> tuple[Root, ...]:
        """What the next version is an index of."""
        return self._manifest.roots

    def set_roots(self, roots: Sequence[Root]) -> None:
        """Say what the next version is an index of. The sources of one that is left out are not removed by this."""
        self._manifest = dataclasses.replace(self._manifest, roots=tuple(roots))

    def set_task(self, task: Task | None) -> None:
        """Say what the next version is searched for by default; that of the last version where nothing is said.

        A symmetric one has to be in the fingerprint already: `c2vsearch.encoder.symmetric` makes both.
        """
        self._manifest = dataclasses.replace(self._manifest, task=task)

    def keep_settings(self) -> None:
        """Publish under the settings of the last version: not everything was done with the new ones."""
        if self.base is not None:
            old = self.base.manifest
            self._manifest = dataclasses.replace(
                self._manifest, chunking=old.chunking, roots=joined(self._manifest.roots, old.roots)
            )

    @property
    def settings_changed(self) -> str:
        """What differs between this run's settings and the last version's, in words; "" when nothing does."""
        if self.base is None:
            return ""
        new = self._manifest
        return changed_settings(self.base.manifest, chunking=new.chunking, roots=new.roots)

    def reusable_vectors(self, hashes: Items[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors already computed for chunks of these hashes, in live, deleted or unfinished rows alike."""
        return self._reusable.find(hashes)

    def reusable_codes(self, hashes: Items[str]) -> dict[str, bytes]:
        """Codes that this writer's codec made before for chunks of these hashes, in rows as of `reusable_vectors`."""
        return self._reusable.codes(hashes)

    def add(
        self, chunks: Sequence[Chunk], rows: NDArray[np.float32], codes: Sequence[bytes | None] | None = None
    ) -> None:
        """Add chunks with their unit vectors. Every full shard is on the disk when this returns.

        Rows of a source count once `record_source` says that there are so many of them, before or after; then they
        replace all its earlier rows.

        Args:
            chunks: N chunks.
            rows: Their vectors. Shape: (N, D).
            codes: The codes of each one's token states, None for one without; by default none has any.

        Raises:
            InvalidConfig: Rows of another shape, or not finite and of unit length; codes for another number of
                chunks, or of a writer that was opened without a codec.
            StorageFull: The disk is full; what was added is kept in memory.
        """
        if rows.shape != (len(chunks), self._manifest.fingerprint.dim):
            raise InvalidConfig(
                f"rows have shape {rows.shape}; expected {(len(chunks), self._manifest.fingerprint.dim)}"
            )
        check_vectors(rows, names=[chunk.source for chunk in chunks])
        codes = [None] * len(chunks) if codes is None else codes
        check_codes(codes, count=len(chunks), codec=self._codec)
        start = self._rows()
        self._buffer.extend(zip(chunks, rows, codes, strict=True))
        # Only now: a row nobody owns does not count, an owned one must be there.
        for source, group in groupby(chunk.source for chunk in chunks):
            end = start + len(list(group))
            self._staging.add(source, start, end)
            start = end
        while len(self._buffer) >= self._indexing.rows_per_shard:
            self._flush(self._indexing.rows_per_shard)

    def remove_source(self, source: str) -> None:
        """Forget a source and all its rows. When rows of it are added afterwards, it is replaced instead."""
        self._staging.remove(source)

    def record_source(self, state: SourceState) -> None:
        """Say how a source stands now.

        With ``state.chunks`` rows added for it, they replace its earlier ones. With none added and as many chunks
        as before, its rows stay and only its state changes. Skipped and failed sources have no rows.
        """
        self._staging.record(state)

    def commit(self, *, compact: bool = False, on_build: Callable[[int], None] | None = None) -> int:
        """Publish everything since the last commit as one version, durably, and return its number.

        A source of which not every chunk was added and recorded stays as it was before. Without a change nothing
        is written and the number is that of the last version. After an error nothing is published, and `commit` can
        be called again.

        Args:
            on_build: Told of how many rows an approximate index is built, before it is.
            compact: Write every shard with deleted rows anew, and all small files together, not only where it pays.

        Raises:
            StorageFull: The disk is full.
            CorruptFile: A file of the last version is needed and damaged.
        """
        self._flush(len(self._buffer))
        with artifacts.storage_errors():
            outcome = self._staging.outcome(self.sources, rows=self._rows())
            if self._changed(outcome) or (compact and self._untidy()):
                manifest = publish(self.root, self._next_manifest(outcome, compact=compact, on_build=on_build))
                self.base = Collection(self.root, manifest)
                self._manifest = dataclasses.replace(manifest, version=manifest.version + 1, parent=manifest.version)
            self._staging, self._added = Staging(), []
        with suppress(OSError):  # the version is there; what could not be removed is, next time
            sweep(self.root)
        return self._manifest.version - 1

    def _rows(self) -> int:
        """Rows added since the last commit."""
        return sum(entry.rows for entry in self._added) + len(self._buffer)

    def _flush(self, rows: int) -> None:
        """Put the first rows of the buffer on the disk; they leave it once they are there."""
        if rows == 0:
            return
        part = self._buffer[:rows]
        file = write_shard(
            self.root / layout.SHARDS,
            [chunk for chunk, _, _ in part],
            np.stack([row for _, row, _ in part]),
            fingerprint=self._manifest.fingerprint,
            chunking=self._manifest.chunking,
            codes=[code for _, _, code in part],
            codec=self._codec,
        )
        self._added, self._buffer = [*self._added, entry_of(self.root, file)], self._buffer[rows:]
        self._reusable.add(file.path, [chunk.hash for chunk, _, _ in part], codec=self._codec)

    def _changed(self, outcome: Outcome) -> bool:
        return (
            self.base is None
            or bool(outcome.live.any())
            or outcome.changed
            or bool(self.settings_changed)
            or self.base.manifest.roots != self._manifest.roots
            or self.base.manifest.index != self._manifest.index
            or self.base.manifest.task != self._manifest.task
            or words_changed(self.base.manifest)
        )

    def _untidy(self) -> bool:
        """Whether the last version has deleted rows, or files that would be fewer together."""
        if self.base is None:
            return False
        manifest = self.base.manifest
        small = [entry for entry in manifest.shards if entry.rows < self._indexing.rows_per_shard // 2]
        flat = [entry for entry in manifest.vectors if not entry.candidates]
        rows = sum(entry.file.rows for entry in flat)
        segments = 1 + rows // max(MAX_SEGMENT_ROWS - self._indexing.rows_per_shard, 1)
        crowded = len(flat) > segments or (len(manifest.vectors) > 1 and len(flat) < len(manifest.vectors))
        return manifest.deletes is not None or len(small) > 1 or crowded

    def _next_manifest(self, outcome: Outcome, *, compact: bool, on_build: Callable[[int], None] | None) -> Manifest:
        shards, live = self._next_rows(outcome, compact=compact)
        deletes = {name: set(np.flatnonzero(~mask).tolist()) for name, mask in live.items() if not mask.all()}
        old = self.base.manifest.vectors if self.base and not compact else ()
        statuses: Counter[str] = Counter()
        sources = write_sources(self.root / layout.SOURCES, _counted(outcome.sources(), statuses))
        asking = Asking(self.root, self.base, shards, live, dim=self._manifest.fingerprint.dim, encode=self._encode)
        return dataclasses.replace(
            self._manifest,
            shards=tuple(shards),
            vectors=tuple(planned_segments(self.root, old, shards, live, self._plan(asking, on_build))),
            lexical=next_keywords(
                self.root, None if compact else self.base, shards, live, version=self._manifest.version
            ),
            deletes=self._write_deletes(deletes),
            sources=describe(self.root, sources, rows=statuses.total()),
            questions=asking.entry(),
            counts=_counts(statuses, live),
        )

    def _plan(self, asking: Asking, on_build: Callable[[int], None] | None) -> Plan:
        manifest = self._manifest
        return Plan(
            spec=manifest.index, dim=manifest.fingerprint.dim, merge_below_rows=self._indexing.merge_below_rows,
            questions=asking.questions, device=self._indexing.device,
            on_build=on_build or (lambda rows: None),
        )  # fmt: skip

    def _next_rows(self, outcome: Outcome, *, compact: bool) -> tuple[list[ShardEntry], Live]:
        """Shards of the next version and which of their rows count."""
        entries: dict[str, ShardEntry] = {}
        live: Live = {}
        for entry in self.base.manifest.shards if self.base else ():
            entries[entry.name] = entry
            live[entry.name] = self._surviving(entry, outcome.replaced)
        start = 0
        for entry in self._added:
            fresh = outcome.live[start : start + entry.rows]
            start += entry.rows
            # The very same rows may be there already: a file is named after its content.
            live[entry.name] = live[entry.name] | fresh if entry.name in live else fresh
            entries.setdefault(entry.name, entry)
        rows_per_shard = self._indexing.rows_per_shard
        return compacted(
            self.root,
            list(entries.values()),
            live,
            rows_per_shard=rows_per_shard,
            write=self._write_rows,
            all_of=compact,
        )

    def _surviving(self, entry: ShardEntry, replaced: NDArray[np.bool_]) -> NDArray[np.bool_]:
        mask = np.ones(entry.rows, dtype=np.bool_)
        assert self.base is not None
        mask[sorted(self.base.deletes.get(entry.name, ()))] = False
        if replaced.any():
            with open_entry(self.root, entry) as shard:
                rows = map(self.base.sources.row, shard.column("source"))
                mask &= np.fromiter((row is None or not replaced[row] for row in rows), dtype=np.bool_)
        return mask

    def _write_rows(self, table: pa.Table, codec: str) -> ShardEntry:
        made, cut = self._manifest.fingerprint, self._manifest.chunking
        file = write_table(self.root / layout.SHARDS, table, fingerprint=made, chunking=cut, codec=codec)
        return entry_of(self.root, file)

    def _write_deletes(self, deletes: Deletes) -> FileEntry | None:
        if not deletes:
            return None
        path = write_deletes(self.root / layout.DELETES, deletes)
        return describe(self.root, path, rows=sum(map(len, deletes.values())))


def _counted(states: Iterable[SourceState], statuses: Counter[str]) -> Iterator[SourceState]:
    """The same states, counted by status as they pass."""
    for state in states:
        statuses[state.status] += 1
        yield state


def _counts(statuses: Counter[str], live: Live) -> dict[str, int]:
    rows = sum(int(np.count_nonzero(mask)) for mask in live.values())
    return {"chunks": rows, **{f"sources_{status}": count for status, count in sorted(statuses.items())}}
