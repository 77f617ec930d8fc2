"""Archives: each file inside is read by its own reader. Nothing is written to the disk; a name is only a name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.unpacking import LARGEST_MEMBER, Counted, Stream
from c2vsearch.ingest.walk import JUNK
from c2vsearch.records import Document, FileReport

_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip


def read_zip(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A ZIP archive, in its own order; hidden files and junk are left out as in a directory.

    Raises:
        UnreadableDocument: "broken-zip".
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(blob.data))
    except _BROKEN as error:
        raise UnreadableDocument("broken-zip", str(error)) from error
    for entry in archive.infolist():
        if not _wanted(entry.filename) or entry.is_dir():  # the latter fails on an empty name
            continue
        try:
            reading.budget.count_member()
            data = _zip_member(archive, entry, reading)
        except UnreadableDocument as error:
            yield _refused(blob, entry.filename, error)
            if error.reason in {"bomb", "too-many-members"}:
                return
            continue
        yield from reading.read(blob.inside(entry.filename, data))


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, reading: Reading) -> bytes:
    if entry.flag_bits & 1:
        raise UnreadableDocument("encrypted", "a password is needed")
    try:
        with archive.open(entry) as stream:
            return reading.budget.read(stream)
    except _BROKEN as error:
        raise UnreadableDocument("broken-zip", str(error)) from error


def read_tar(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A TAR archive, also compressed, in one pass.

    Raises:
        UnreadableDocument: "broken-tar" when not even its beginning can be read.
    """
    stream = Counted(_tar_stream(blob), reading.budget)
    place = ""  # where it breaks off, if it does
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            for entry in archive:
                place = entry.name or "?"
                if not entry.isfile() or not _wanted(entry.name):
                    continue
                reading.budget.count_member()
                if entry.size > LARGEST_MEMBER:
                    large = UnreadableDocument("too-large", f"it holds {entry.size} bytes, more than {LARGEST_MEMBER}")
                    yield _refused(blob, entry.name, large)
                    continue
                file = archive.extractfile(entry)
                data = file.read() if file is not None else b""
                place = f"after {entry.name}"
                yield from reading.read(blob.inside(entry.name, data))
    except UnreadableDocument as error:
        if not place:
            raise
        yield _refused(blob, place, error)
    except _BROKEN as error:
        broken = UnreadableDocument("broken-tar", f"{error}; what follows cannot be read")
        if not place:
            raise broken from error
        yield _refused(blob, place, broken)


def _tar_stream(blob: Blob) -> Stream:
    raw = io.BytesIO(blob.data)
    if blob.data.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if blob.data.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    return lzma.LZMAFile(raw) if blob.data.startswith(b"\xfd7zXZ") else raw


def _wanted(name: str) -> bool:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    return bool(parts) and not any(part.startswith(".") or part in JUNK or part == "__MACOSX" for part in parts)


def _refused(blob: Blob, name: str, error: UnreadableDocument) -> FileReport:
    member = f"{blob.member}/{name}".strip("/")
    return FileReport(blob.source, error.status, error.reason, str(error), member=member)
