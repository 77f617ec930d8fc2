"""Files to chunks, ahead of the encoder: a thread reads and cuts while rows are computed."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from c2vsearch.chunking import Tokenizer, chunk_document
from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.ingest import missing, refusal
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import Chunk, Document, FileReport, Metadata, SourceFile

T = TypeVar("T")
FILES_OF_A_BATCH = 1024


@dataclass(slots=True)
class CutFile:
    """One file on its way: its documents cut, or the report that says why not.

    ``refused`` are the things inside that could not be read.
    """

    file: SourceFile
    report: FileReport | None = None
    documents: list[Document] = field(default_factory=list)
    refused: list[FileReport] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutter:
    """Reads and cuts files one after the other.

    ``annotations`` is what is said of files elsewhere, by source. ``unchanged`` tells of a source and the hash of its
    bytes whether that is what the index has: such a file is not cut.
    """

    tokenizer: Tokenizer
    chunking: ChunkingConfig
    workers: Workers
    annotations: Mapping[str, Metadata]
    unchanged: Callable[[str, str], bool]

    def batches(self, files: Iterable[SourceFile], *, size: int) -> Iterator[list[CutFile]]:
        """Files in order, as many together as have ``size`` chunks."""
        batch: list[CutFile] = []
        waiting = 0
        for file, items in self.workers.read(files):
            cut = self.cut(file, items)
            batch.append(cut)
            waiting += len(cut.chunks)
            if waiting >= size or len(batch) >= FILES_OF_A_BATCH:
                yield batch
                batch, waiting = [], 0
        if batch:
            yield batch

    def cut(self, file: SourceFile, items: Iterable[Document | FileReport]) -> CutFile:
        """One file, from what is read in it; what is read before it turns out to be unreadable is dropped."""
        try:
            items = list(items)
        except MissingDependency as error:
            return CutFile(file, missing(file.source, error))
        except UnreadableDocument as error:
            return CutFile(file, refusal(file.source, error))
        documents = [self._annotated(item) for item in items if isinstance(item, Document)]
        refused = [item for item in items if isinstance(item, FileReport)]
        if documents and self.unchanged(file.source, documents[0].content_hash):
            return CutFile(file, FileReport(file.source, "unchanged"), documents, refused)
        chunks = [chunk for document in documents for chunk in self._chunks(document)]
        if not chunks:
            return CutFile(file, FileReport(file.source, "empty", detail="no text to embed"), refused=refused)
        return CutFile(file, documents=documents, refused=refused, chunks=chunks)

    def _annotated(self, document: Document) -> Document:
        said = self.annotations.get(document.source)
        return dataclasses.replace(document, metadata={**document.metadata, **said}) if said else document

    def _chunks(self, document: Document) -> list[Chunk]:
        return chunk_document(document, tokenizer=self.tokenizer, config=self.chunking)


def ahead(items: Iterable[T], *, by: int) -> Generator[T, None, None]:
    """The same items, made in a thread of their own that is at most ``by`` items ahead.

    An error of theirs is raised here. The thread ends when the generator is closed.

    >>> list(ahead(range(3), by=1))
    [0, 1, 2]
    """
    ready: queue.Queue[T | _End] = queue.Queue(maxsize=by)
    stopped = threading.Event()
    threading.Thread(target=_produce, args=(items, ready, stopped), name="c2vsearch-reader", daemon=True).start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes after this. An error travels to the thread that waits, whatever it is."""

    error: BaseException | None = None


def _produce(items: Iterable[T], ready: queue.Queue[T | _End], stopped: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(ready, item, stopped):
                return
    except BaseException as error:
        end = _End(error)
    _put(ready, end, stopped)


def _put(ready: queue.Queue[Any], item: object, stopped: threading.Event) -> bool:
    """Whether the item was taken before it was told to stop."""
    while not stopped.is_set():
        try:
            ready.put(item, timeout=0.2)
            return True
        except queue.Full:
            continue
    return False
