"""The path of `c2vsearch index`: walk, read, cut, embed, store, commit. A sync: only what changed is done again.

A thread reads and cuts ahead of the encoder by a few batches, so memory does not grow with the corpus. A file is
stored whole or not at all, and ends in exactly one state.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from c2vsearch.chunking import chunk_document
from c2vsearch.collection import CollectionWriter, SourceState
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, EncodingConfig, IndexingConfig, WalkConfig
from c2vsearch.embed import embed_chunks
from c2vsearch.encoder import Encoder, load_encoder
from c2vsearch.errors import InvalidConfig, MissingDependency, UnreadableDocument
from c2vsearch.indexing.accounting import settled
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.ingest import READING, read_file, refusal, walk
from c2vsearch.records import Chunk, Document, FileReport, FileStatus, SourceFile

BATCHES_AHEAD = 4


def default_index(root: Path) -> Path:
    """Where the index of a directory goes when nothing else is said: ``indexes/<name>``.

    >>> default_index(Path("/home/me/My notes")).as_posix()
    'indexes/My-notes'
    """
    name = re.sub(r"[^\w.-]+", "-", root.resolve().name).strip("-.") or "index"
    return Path("indexes") / name


def index_directory(  # noqa: PLR0913  (a public door: every argument is a named choice)
    root: Path | str, *, index: Path | str | None = None, encoder: Encoder | str | Path = DEFAULT_MODEL,
    encoding: EncodingConfig | None = None, walking: WalkConfig | None = None, chunking: ChunkingConfig | None = None,
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
        chunking: How they are cut; at most what the encoder reads.
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
    root = Path(root)
    place = Path(index) if index is not None else default_index(root)
    entries = list(walk(root, config=walking or WalkConfig()))  # a missing root is an error before a model is loaded
    encoding = encoding or EncodingConfig()
    model = encoder if isinstance(encoder, Encoder) else _loaded(encoder, encoding)
    if encoding.dim not in (None, model.fingerprint.dim):
        raise InvalidConfig(
            f"dim is {encoding.dim}; the encoder given makes {model.fingerprint.dim}: expected one that was made so"
        )
    settings = _fitted(chunking, model)
    with CollectionWriter.open(
        place, fingerprint=model.fingerprint, chunking=settings, reading=READING, source_root=str(root.resolve()),
        indexing=indexing, rebuild=rebuild,
    ) as writer:  # fmt: skip
        return _Sync(root, place, entries, writer, model, settings, encoding.batch_size, on_progress).run()


def _loaded(name: str | Path, encoding: EncodingConfig) -> Encoder:
    return load_encoder(
        name, precision=encoding.precision, device=encoding.device, threads=encoding.threads, dim=encoding.dim
    )


def _fitted(chunking: ChunkingConfig | None, encoder: Encoder) -> ChunkingConfig:
    if chunking is None:
        return ChunkingConfig.sized(min(ChunkingConfig.max_tokens, encoder.max_tokens))
    if chunking.max_tokens > encoder.max_tokens:
        name = encoder.fingerprint.name
        raise InvalidConfig(f"max_tokens is {chunking.max_tokens}; the model {name} reads at most {encoder.max_tokens}")
    return chunking


@dataclass(slots=True)
class _Work:
    """One file on its way: read and cut, or the reason why not."""

    file: SourceFile
    report: FileReport | None = None
    documents: list[Document] = field(default_factory=list)
    refused: list[FileReport] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    hint: str = ""


class _Sync:
    """One run over a directory."""

    def __init__(
        self, root: Path, place: Path, entries: list[SourceFile | FileReport], writer: CollectionWriter,
        encoder: Encoder, chunking: ChunkingConfig, batch_size: int, on_progress: Callable[[Progress], None] | None,
    ) -> None:  # fmt: skip
        self._root, self._place, self._entries, self._writer = root, place, entries, writer
        self._encoder, self._chunking, self._on_progress = encoder, chunking, on_progress
        self._batch_size = batch_size
        self._settings_changed = writer.settings_changed
        self._before = dict(writer.sources)
        self._reports: list[FileReport] = []
        self._hints: dict[str, None] = {}
        self._encoded = self._reused = self._tokens = self._bytes_done = 0
        self._began = time.monotonic()
        self._stopped = threading.Event()

    def run(self) -> IndexReport:
        changed = self._triage()
        self._bytes = sum(file.size_bytes for file in changed)
        try:
            for batch in self._ahead(changed):
                self._store(batch)
            self._remove_missing()
        except KeyboardInterrupt:
            raise IndexingInterrupted(self._finish()) from None
        finally:
            self._stopped.set()
        return self._finish()

    def _triage(self) -> list[SourceFile]:
        """Report what the walk refused and what did not change; give the files to read."""
        changed = []
        for entry in self._entries:
            if isinstance(entry, FileReport):
                self._forget(entry)
                continue
            known = self._writer.sources.get(entry.source)
            same = known is not None and known.status == "indexed" and not self._settings_changed
            if same and known and (known.size_bytes, known.mtime_ns) == (entry.size_bytes, entry.mtime_ns):
                self._reports.append(FileReport(entry.source, "unchanged", chunks=known.chunks))
            else:
                changed.append(entry)
        return changed

    # Reading ahead, in a thread of its own.

    def _ahead(self, files: list[SourceFile]) -> Iterator[list[_Work]]:
        ready: queue.Queue[list[_Work] | BaseException | None] = queue.Queue(maxsize=BATCHES_AHEAD)

        def produce() -> None:
            try:
                for batch in self._batches(files):
                    self._put(ready, batch)
                self._put(ready, None)
            except BaseException as error:  # it travels to the thread that waits, whatever it is
                self._put(ready, error)

        threading.Thread(target=produce, name="c2vsearch-reader", daemon=True).start()
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _put(
        self, ready: queue.Queue[list[_Work] | BaseException | None], item: list[_Work] | BaseException | None
    ) -> None:
        while not self._stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def _batches(self, files: list[SourceFile]) -> Iterator[list[_Work]]:
        batch: list[_Work] = []
        waiting = 0
        for file in files:
            work = self._read(file)
            batch.append(work)
            waiting += len(work.chunks)
            if waiting >= self._batch_size or len(batch) >= 1024:
                yield batch
                batch, waiting = [], 0
        if batch:
            yield batch

    def _read(self, file: SourceFile) -> _Work:
        try:
            items = list(read_file(file))
        except MissingDependency as error:
            report = FileReport(file.source, "skipped", f"needs-extra:{error.extra}", str(error))
            return _Work(file, report, hint=str(error))
        except UnreadableDocument as error:
            return _Work(file, refusal(file.source, error))
        documents = [item for item in items if isinstance(item, Document)]
        refused = [item for item in items if isinstance(item, FileReport)]
        known = self._writer.sources.get(file.source)
        same = known is not None and known.status == "indexed" and not self._settings_changed
        if same and known and documents and known.content_hash == documents[0].content_hash:
            return _Work(file, FileReport(file.source, "unchanged", chunks=known.chunks), documents)
        chunks = [
            chunk
            for document in documents
            for chunk in chunk_document(document, tokenizer=self._encoder.tokenizer, config=self._chunking)
        ]
        if not chunks:
            return _Work(file, FileReport(file.source, "empty", "", "no text to embed"), refused=refused)
        return _Work(file, documents=documents, refused=refused, chunks=chunks)

    # Embedding and storing.

    def _store(self, batch: list[_Work]) -> None:
        chunks = [chunk for work in batch for chunk in work.chunks]
        embedded = embed_chunks(chunks, encoder=self._encoder, reuse=self._writer.reusable_vectors)
        self._encoded += embedded.encoded
        self._reused += embedded.reused
        self._tokens += embedded.tokens
        position = 0
        for work in batch:
            self._reports += work.refused
            if work.report is None:
                known = self._writer.sources.get(work.file.source)
                status: FileStatus = "updated" if known is not None and known.status == "indexed" else "added"
                self._writer.add(work.chunks, embedded.rows[position : position + len(work.chunks)])
                self._record(work.file, work.documents[0], chunks=len(work.chunks))
                self._reports.append(FileReport(work.file.source, status, chunks=len(work.chunks)))
            elif work.report.status == "unchanged":
                self._record(work.file, work.documents[0], chunks=work.report.chunks)
                self._reports.append(work.report)
            else:
                self._forget(work.report, work.file)
                if work.hint:
                    self._hints[work.hint] = None
            position += len(work.chunks)
            self._bytes_done += work.file.size_bytes
        self._tell()

    def _record(self, file: SourceFile, document: Document, *, chunks: int) -> None:
        state = SourceState(
            file.source, file.size_bytes, file.mtime_ns, document.content_hash, document.id, "indexed", chunks=chunks
        )
        self._writer.record_source(state)

    def _forget(self, report: FileReport, file: SourceFile | None = None) -> None:
        """A file that gives no text (any more): its rows go, its reason stays."""
        size, mtime = (file.size_bytes, file.mtime_ns) if file else (0, 0)
        state = SourceState(
            report.source, size, mtime, status=report.status, reason=report.reason, detail=report.detail
        )
        known = self._writer.sources.get(report.source)
        if known is not None and known.status == "indexed":
            self._writer.remove_source(report.source)
        self._writer.record_source(state)
        self._reports.append(report)

    def _remove_missing(self) -> None:
        """Files that are gone. What lies below a directory that could not be listed is kept: it may well be there."""
        seen = {entry.source for entry in self._entries}
        unlisted = tuple(
            entry.source for entry in self._entries if isinstance(entry, FileReport) and entry.source.endswith("/")
        )
        for source, state in list(self._writer.sources.items()):
            if source not in seen and not source.startswith(unlisted or ("\0",)):
                self._writer.remove_source(source)
                if state.status == "indexed":
                    self._reports.append(FileReport(source, "deleted", chunks=state.chunks))

    def _tell(self) -> None:
        if self._on_progress is not None:
            seconds = time.monotonic() - self._began
            chunks = self._encoded + self._reused
            done = (len(self._reports), len(self._entries), self._bytes_done, self._bytes)
            self._on_progress(Progress(*done, chunks, self._tokens, seconds))

    def _finish(self) -> IndexReport:
        version = self._writer.commit()
        manifest = self._writer.base.manifest if self._writer.base else None
        return IndexReport(
            index=self._place,
            root=self._root,
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
