"""The path of `c2vsearch index`: walk, read, cut, embed, store, commit. A sync: only what changed is done again.

A file is stored whole or not at all, and ends in exactly one state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from c2vsearch.collection import CollectionWriter, SourceState
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, IndexingConfig, ReadingConfig, WalkConfig
from c2vsearch.embed import embed_chunks
from c2vsearch.encoder import Encoder
from c2vsearch.indexing.accounting import gone, settled, state_of, triage, verdict
from c2vsearch.indexing.job import Job, prepare
from c2vsearch.indexing.reading import CutFile, ahead
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import FileReport, SourceFile

BATCHES_AHEAD = 4


def index_directory(  # noqa: PLR0913  (a public door: every argument is a named choice)
    root: Path | str, *, index: Path | str | None = None, encoder: Encoder | str | Path = DEFAULT_MODEL,
    encoding: EncodingConfig | None = None, walking: WalkConfig | None = None, reading: ReadingConfig | None = None,
    chunking: ChunkingConfig | None = None, metadata: Path | str | None = None,
    indexing: IndexingConfig | None = None, rebuild: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> IndexReport:  # fmt: skip
    r"""Bring an index up to date with a directory (or a single file), creating it when there is none.

    Args:
        root: What to index.
        index: The index directory; ``indexes/<name of root>`` by default.
        encoder: A model by name or path, or anything with an encoder's methods.
        encoding: Which runtime encodes, and how wide; the index records the width and queries follow.
        walking: Which files are read.
        reading: How files become documents.
        chunking: How they are cut; at most what the encoder reads.
        metadata: A CSV or JSON lines file with a column ``path``; what it says is kept with each document.
        indexing: Sizes of shards and segments.
        rebuild: Embed everything again, whatever is there.
        on_progress: Called now and then, from this thread.

    Raises:
        SourceNotFound: There is nothing at ``root``.
        EncoderMismatch: The index was built with another model.
        IndexLocked: Another process is writing to it.
        IndexingInterrupted: Ctrl-C; what was finished is committed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    ...     report = index_directory(Path(place, "a.md"), index=Path(place, "index"), encoder="hash")
    >>> report.counts, report.chunks
    ({'added': 1}, 1)
    """
    job = prepare(
        root, index=index, encoder=encoder, encoding=encoding, walking=walking, reading=reading, chunking=chunking,
        metadata=metadata,
    )  # fmt: skip
    with CollectionWriter.open(
        job.index, fingerprint=job.encoder.fingerprint, chunking=job.chunking, reading=job.reading_name,
        source_root=str(job.root.resolve()), indexing=indexing, rebuild=rebuild,
    ) as writer:  # fmt: skip
        return _Sync(job, writer, on_progress).run()


class _Sync:
    """One run over a directory."""

    def __init__(self, job: Job, writer: CollectionWriter, on_progress: Callable[[Progress], None] | None) -> None:
        self._job, self._writer, self._on_progress = job, writer, on_progress
        self._settings_changed = writer.settings_changed
        self._before = dict(writer.sources)
        self._reports: list[FileReport] = []
        self._hints: dict[str, None] = {}
        self._encoded = self._reused = self._tokens = self._bytes = self._bytes_done = 0
        self._began = time.monotonic()

    def run(self) -> IndexReport:
        try:
            self._bring_in(self._to_read())
            self._remove_missing()
        except KeyboardInterrupt:
            raise IndexingInterrupted(self._finish()) from None
        return self._finish()

    def _to_read(self) -> list[SourceFile]:
        """Report what the walk refused and what did not change; give the files to read."""
        files = []
        for entry in self._job.entries:
            if isinstance(entry, SourceFile):
                files.append(entry)
            else:
                self._settle(entry, _refused_state(entry))
        changed, reports = triage(
            files, sources=self._writer.sources, reading=self._job.reading, reread=bool(self._settings_changed)
        )
        self._reports += reports
        self._bytes = sum(file.size_bytes for file in changed)
        return changed

    def _bring_in(self, files: list[SourceFile]) -> None:
        # What the index has of a file is asked for in the reading thread, so it must not change under it.
        known = {} if self._settings_changed else self._before
        with Workers(self._job.reading) as workers:
            cutter = self._job.cutter(known, workers=workers)
            with closing(ahead(cutter.batches(files, size=self._job.batch_size), by=BATCHES_AHEAD)) as batches:
                for batch in batches:
                    self._store(batch)

    def _store(self, batch: list[CutFile]) -> None:
        chunks = [chunk for cut in batch for chunk in cut.chunks]
        embedded = embed_chunks(chunks, encoder=self._job.encoder, reuse=self._writer.reusable_vectors)
        self._encoded += embedded.encoded
        self._reused += embedded.reused
        self._tokens += embedded.tokens
        position = 0
        for cut in batch:
            report = verdict(cut, self._before.get(cut.file.source))
            if report.status in {"added", "updated"}:
                self._writer.add(cut.chunks, embedded.rows[position : position + len(cut.chunks)])
            self._settle(report, state_of(cut, report))
            self._reports += cut.refused
            if cut.hint:
                self._hints[cut.hint] = None
            position += len(cut.chunks)
            self._bytes_done += cut.file.size_bytes
        self._tell()

    def _settle(self, report: FileReport, state: SourceState) -> None:
        """Keep how a file stands. The rows of one that gives no text any more go, its reason stays."""
        known = self._writer.sources.get(report.source)
        if state.status != "indexed" and known is not None and known.status == "indexed":
            self._writer.remove_source(report.source)
        self._writer.record_source(state)
        self._reports.append(report)

    def _remove_missing(self) -> None:
        for source in gone(list(self._writer.sources), self._job.entries):
            state = self._writer.sources[source]
            self._writer.remove_source(source)
            if state.status == "indexed":
                self._reports.append(FileReport(source, "deleted", chunks=state.chunks))

    def _tell(self) -> None:
        if self._on_progress is not None:
            seconds = time.monotonic() - self._began
            chunks = self._encoded + self._reused
            done = (len(self._reports), len(self._job.entries), self._bytes_done, self._bytes)
            self._on_progress(Progress(*done, chunks, self._tokens, seconds))

    def _finish(self) -> IndexReport:
        version = self._writer.commit()
        manifest = self._writer.base.manifest if self._writer.base else None
        return IndexReport(
            index=self._job.index,
            root=self._job.root,
            version=version,
            files=settled(self._reports, before=self._before, after=self._writer.sources),
            chunks=manifest.counts.get("chunks", 0) if manifest else 0,
            encoded=self._encoded,
            reused=self._reused,
            tokens=self._tokens,
            seconds=time.monotonic() - self._began,
            settings_changed=self._settings_changed,
            hints=tuple(self._hints),
        )


def _refused_state(report: FileReport) -> SourceState:
    return SourceState(report.source, 0, 0, status=report.status, reason=report.reason, detail=report.detail)
