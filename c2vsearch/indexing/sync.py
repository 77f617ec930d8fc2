"""The path of `c2vsearch index`: walk, read, cut, embed, store, commit. A sync: only what changed is done again.

A file is stored whole or not at all, and ends in exactly one state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from c2vsearch.collection import CollectionWriter, SourceState
from c2vsearch.collection.manifest import searched
from c2vsearch.config import ChunkingConfig, EncodingConfig, IndexingConfig
from c2vsearch.embed import embed_chunks
from c2vsearch.encoder import Encoder
from c2vsearch.indexing.accounting import missing_root, state_of, verdict
from c2vsearch.indexing.changes import Changes
from c2vsearch.indexing.job import Job, Reading, Roots, Spec, Walking, prepare
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.reading import CutFile, ahead
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.indexing.reports import Reports, settled
from c2vsearch.indexing.sightings import Sightings
from c2vsearch.indexing.triage import Triage, triage
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import FileReport, SourceFile
from c2vsearch.task import Task

BATCHES_AHEAD = 4


def index_directory(  # noqa: PLR0913  (a public door: every argument is a named choice)
    roots: Roots, *, index: Path | str | None = None, encoder: Encoder | str | Path | None = None,
    encoding: EncodingConfig | None = None, walking: Walking | None = None, reading: Reading | None = None,
    chunking: ChunkingConfig | None = None, metadata: Path | str | None = None,
    indexing: IndexingConfig | None = None, spec: Spec | None = None, task: Task | str | None = None,
    add: bool = False, rebuild: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> IndexReport:  # fmt: skip
    r"""Bring an index up to date with directories (or single files), creating it when there is none.

    What an index was made with is recorded in it, and holds where nothing else is said.

    Args:
        roots: What to index, one path or several; an empty list stands for all that the index is of.
        index: The index directory; ``indexes/<name of root>`` by default, where there is one root.
        encoder: A model by name or path, or anything with an encoder's methods.
        encoding: Which runtime encodes, and how wide; the index records the width and queries follow.
        walking: Which files are read: all the settings, or a mapping of those to change.
        reading: How files become documents, in the same way.
        chunking: How they are cut; at most what the encoder reads.
        metadata: A CSV or JSON lines file with a column ``path``; what it says is kept with each document. "" forgets
            the one that is recorded.
        indexing: Sizes of shards and segments.
        spec: How vectors are searched, in the same way as ``walking``.
        task: What queries are instructed for by default: a name of `c2vsearch.task.TASKS`, or a `Task`. "" forgets the
            one that is recorded. A symmetric one instructs documents too, and can be changed with ``rebuild`` alone.
        add: Whether an index of other roots is to be of these as well.
        rebuild: Embed everything again, whatever is there.
        on_progress: Called now and then, from this thread.

    Raises:
        SourceNotFound: There is nothing at a root.
        InvalidConfig: The index is of other roots, or settings do not go together.
        EncoderMismatch: The index was built with another model, or its documents for another task.
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
        roots, index=index, encoder=encoder, encoding=encoding, walking=walking, reading=reading, chunking=chunking,
        metadata=metadata, spec=spec, task=task, add=add, rebuild=rebuild,
    )  # fmt: skip
    with CollectionWriter.open(
        job.index, fingerprint=job.encoder.fingerprint, chunking=job.chunking, roots=job.roots, indexing=indexing,
        spec=job.spec, encode=job.encoder.encode_queries, rebuild=rebuild,
        token_codec=job.token_codec,
    ) as writer:  # fmt: skip
        writer.set_task(job.task)
        return _Sync(job, writer, on_progress).run()


class _Sync:
    """One run over a directory."""

    def __init__(self, job: Job, writer: CollectionWriter, on_progress: Callable[[Progress], None] | None) -> None:
        self._job, self._writer, self._on_progress = job, writer, on_progress
        self._changes = Changes(writer.base.manifest if writer.base else None, job)
        self._before = writer.sources
        self._sightings, self._reports = Sightings(self._before), Reports()
        self._encoded = self._reused = self._tokens = self._bytes = self._bytes_done = 0
        self._waited = 0.0
        self._began = time.monotonic()

    def run(self) -> IndexReport:
        try:
            triaged = [self._triaged(part) for part in self._job.parts]
            self._bytes = sum(found.size_bytes for found in triaged)
            for part, found in zip(self._job.parts, triaged, strict=True):
                self._bring_in(part, found.files())
                self._remove_missing(part)
        except KeyboardInterrupt:
            self._writer.keep_settings()
            raise IndexingInterrupted(self._finish()) from None
        return self._finish()

    def _triaged(self, part: Part) -> Triage:
        """Report what the walk refused and what did not change; find the files to read."""
        if part.missing:
            self._reports.add(missing_root(part))
        for report in part.refused:
            self._sightings.see(report.source)
            self._settle(report, _refused_state(report))
        reread = self._changes.reread(part.root)
        return triage(part, sightings=self._sightings, reports=self._reports, reread=reread)

    def _bring_in(self, part: Part, files: Iterable[SourceFile]) -> None:
        known = {} if self._changes.reread(part.root) else self._before
        with Workers(part.root.reading) as workers:
            cutter = self._job.cutter(part, known, workers=workers)
            with closing(ahead(cutter.batches(files, size=self._job.batch_size), by=BATCHES_AHEAD)) as batches:
                asked = time.monotonic()
                for batch in batches:
                    self._waited += time.monotonic() - asked
                    self._store(batch)
                    asked = time.monotonic()

    def _store(self, batch: list[CutFile]) -> None:
        chunks = [chunk for cut in batch for chunk in cut.chunks]
        embedded = embed_chunks(
            chunks, encoder=self._job.encoder, reuse=self._writer.reusable_vectors,
            reuse_codes=self._writer.reusable_codes, codes=bool(self._job.token_codec),
        )  # fmt: skip
        self._encoded += embedded.encoded
        self._reused += embedded.reused
        self._tokens += embedded.tokens
        position = 0
        for cut in batch:
            report = verdict(cut, self._before.get(cut.file.source))
            if report.status in {"added", "updated"}:
                inside = slice(position, position + len(cut.chunks))
                self._writer.add(cut.chunks, embedded.rows[inside], embedded.codes[inside])
            self._settle(report, state_of(cut, report))
            self._reports.add(*cut.refused)
            position += len(cut.chunks)
            self._bytes_done += cut.file.size_bytes
        self._tell()

    def _settle(self, report: FileReport, state: SourceState) -> None:
        """Keep how a file stands. The rows of one that gives no text any more go, its reason stays."""
        if state.status != "indexed":
            known = self._before.get(report.source)
            if known is not None and known.status == "indexed":
                self._writer.remove_source(report.source)
        self._writer.record_source(state)
        self._reports.add(report)

    def _remove_missing(self, part: Part) -> None:
        for state in self._sightings.gone(part, self._writer.roots):
            self._writer.remove_source(state.source)
            if state.status == "indexed":
                self._reports.add(FileReport(state.source, "deleted", chunks=state.chunks))

    def _tell(self, stage: str = "") -> None:
        if self._on_progress is not None:
            seconds = time.monotonic() - self._began
            chunks = self._encoded + self._reused
            done = (len(self._reports), self._job.entries, self._bytes_done, self._bytes)
            self._on_progress(Progress(*done, chunks, self._tokens, seconds, stage))

    def _finish(self) -> IndexReport:
        version = self._writer.commit(on_build=lambda rows: self._tell(f"building the vector index of {rows:,} chunks"))
        manifest = self._writer.base.manifest if self._writer.base else None
        return IndexReport(
            index=self._job.index,
            roots=self._job.paths,
            version=version,
            files=settled(self._reports, before=self._before, after=self._writer.sources),
            chunks=manifest.counts.get("chunks", 0) if manifest else 0,
            encoded=self._encoded,
            reused=self._reused,
            tokens=self._tokens,
            seconds=time.monotonic() - self._began,
            waited_seconds=self._waited,
            settings_changed=self._changes.words,
            hints=self._reports.hints,
            searched=searched(manifest) if manifest else (),
        )


def _refused_state(report: FileReport) -> SourceState:
    return SourceState(report.source, 0, 0, status=report.status, reason=report.reason, detail=report.detail)
