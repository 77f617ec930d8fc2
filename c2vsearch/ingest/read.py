"""One file to its documents: bytes read without blocking, a reader chosen, identity added."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterator

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import C2VSearchError, MissingDependency, UnreadableDocument
from c2vsearch.ingest.formats import reader_of, refuse_by_name
from c2vsearch.ingest.limits import overgrown
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.unpacking import Budget
from c2vsearch.records import Document, FileReport, SourceFile

# Whoever changes what a reader gives for the same bytes changes this: every file is then read again.
READING = "4"
_FAULT_CHARS = 200
# The reason, up to its colon, of what was left out for want of a package.
NEEDS_EXTRA = "needs-extra"


def read_file(
    file: SourceFile, *, config: ReadingConfig | None = None, on_inside: Callable[[Blob], None] | None = None
) -> Iterator[Document | FileReport]:
    """The documents of a file, and a report for each thing inside it that could not be read.

    ``on_inside`` is shown each thing inside before that is read, and may refuse it with an `UnreadableDocument`.
    Whatever else a reader raises is told as "crashed".

    Raises:
        UnreadableDocument: With a short reason, such as "binary", "empty", "unsupported" or "vanished".
        MissingDependency: The reader needs an extra that is not installed.
    """
    refuse_by_name(file.source)
    yield from read_whole(whole(file), mtime_ns=file.mtime_ns, config=config or ReadingConfig(), on_inside=on_inside)


def read_whole(
    blob: Blob, *, mtime_ns: int, config: ReadingConfig, on_inside: Callable[[Blob], None] | None = None
) -> Iterator[Document | FileReport]:
    """What `read_file` gives, of bytes that were read already."""
    digest = hashlib.sha256(blob.data).hexdigest()
    inside = _read_inside if on_inside is None else functools.partial(_read_inside, on_inside=on_inside)
    for item in _read(blob, Reading(config, Budget.of(config), inside)):
        if isinstance(item, Document):
            yield dataclasses.replace(
                item,
                id=document_id(item.source, item.member),
                content_hash=digest,
                size_bytes=len(blob.data),
                mtime_ns=mtime_ns,
            )
        else:
            yield item


def whole(file: SourceFile) -> Blob:
    """The bytes of a file under its name.

    Raises:
        UnreadableDocument: They cannot be had, or there are none ("empty").
    """
    data = read_bytes(file)
    if not data.strip():
        raise UnreadableDocument("empty", "the file is empty")
    return Blob(file.source, data)


def document_id(source: str, member: str = "") -> str:
    """The identity of a document: where it stands, whatever it says.

    >>> document_id("a.md") == document_id("a.md", "") != document_id("a.md", "1")
    True
    """
    name = f"{source}\0{member}" if member else source
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def content_hash(file: SourceFile) -> str:
    """The hash the documents of this file would carry, without reading it as text."""
    return hashlib.sha256(read_bytes(file)).hexdigest()


def _read(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """What the reader of a blob gives. Parsers of hostile files raise anything: here it becomes a reason."""
    try:
        yield from reader_of(blob)(blob, reading)
    except C2VSearchError as error:
        if isinstance(error.__cause__, MemoryError):  # a reader took it for a fault of the file
            raise overgrown(reading.config) from error
        raise
    except MemoryError as error:
        raise overgrown(reading.config) from error
    except Exception as error:
        raise UnreadableDocument("crashed", f"the reader failed: {fault(error)}") from error


def fault(error: BaseException) -> str:
    """An error in a line.

    >>> fault(KeyError("x"))
    "KeyError: 'x'"
    """
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said if len(said) <= _FAULT_CHARS else said[:_FAULT_CHARS] + '...'}"


def _read_inside(
    blob: Blob, reading: Reading, *, on_inside: Callable[[Blob], None] | None = None
) -> Iterator[Document | FileReport]:
    """What lies inside a file: its refusal is a report, and the rest of the file is read."""
    try:
        if blob.depth > reading.config.max_depth:
            raise UnreadableDocument(
                "too-deep", f"it lies in {blob.depth} files; the limit is {reading.config.max_depth}"
            )
        if not blob.data.strip():
            raise UnreadableDocument("empty", "the file is empty")
        if on_inside is not None:
            on_inside(blob)
        yield from _read(blob, reading)
    except UnreadableDocument as error:
        yield refusal(blob.source, error, member=blob.member)
    except MissingDependency as error:
        yield missing(blob.source, error, member=blob.member)


def refusal(source: str, error: UnreadableDocument, *, member: str = "") -> FileReport:
    """How a file, or one inside a file, that could not be read is reported."""
    reason = "" if error.status == "empty" else error.reason
    return FileReport(source, error.status, reason, str(error), member=member)


def missing(source: str, error: MissingDependency, *, member: str = "") -> FileReport:
    """How a file is reported whose reader needs a package that is not installed; the detail has the line for pip."""
    return FileReport(source, "skipped", f"{NEEDS_EXTRA}:{error.extra}", str(error), member=member)


def read_bytes(file: SourceFile) -> bytes:
    """The bytes of a regular file. A name that became a link or a pipe since the walk is not followed.

    Raises:
        UnreadableDocument: "vanished", "permission", "unreadable" or "not-regular".
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise UnreadableDocument("vanished", "the file was gone before it was read") from error
    except PermissionError as error:
        raise UnreadableDocument("permission", "no permission to read the file") from error
    except OSError as error:
        raise UnreadableDocument("unreadable", str(error.strerror)) from error
    try:
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableDocument("not-regular", "the file became a pipe or a device")
            return stream.read()
    except OSError as error:
        raise UnreadableDocument("unreadable", str(error.strerror)) from error
