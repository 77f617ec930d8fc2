"""One file, compressed: read as what it is without the last suffix."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.detection import detect
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.readers.archive import read_tar
from c2vsearch.ingest.unpacking import Stream
from c2vsearch.optional import require
from c2vsearch.records import Document, FileReport


def read_compressed(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A .gz, .bz2, .xz or .zst file.

    Raises:
        UnreadableDocument: "broken-gz" and the like, "bomb" or "too-large".
        MissingDependency: zstandard is not installed, for .zst.
    """
    name = blob.name[: -len(blob.suffix)] if blob.suffix in _OPENERS else blob.name
    if name.lower().endswith(".tar"):
        yield from read_tar(blob, reading)
        return
    data = unpacked(blob, reading)
    yield from reading.read(blob.inside(name, data))


def unpacked(blob: Blob, reading: Reading) -> bytes:
    """What was compressed, by its bytes rather than its name."""
    found = detect(blob.data)
    suffix = found if found in _OPENERS else blob.suffix
    kind = suffix[1:]
    try:
        return reading.budget.read(_OPENERS[suffix](io.BytesIO(blob.data)))
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UnreadableDocument(f"broken-{kind}", str(error)) from error


class _Zstd:
    """A stream of one zstd frame after the other. The library's own reader takes a cut-off frame for a whole one."""

    def __init__(self, packed: io.BytesIO) -> None:
        self._library = require("zstandard", extra="data", purpose="reading .zst files")
        self._packed = packed
        self._frame: Any = None
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """What the next few packed bytes hold; may be more than ``size``."""
        while piece := self._rest or self._packed.read(_ZSTD_STEP):
            self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
            try:
                data = bytes(self._frame.decompress(piece))
            except self._library.ZstdError as error:
                raise ValueError(str(error)) from error
            self._rest = bytes(self._frame.unused_data)
            if self._frame.eof:
                self._frame = None
            if data:
                return data
        if self._frame is not None:
            raise EOFError("it ends in the middle")
        return b""


# Few enough bytes that what they unpack to is held at once: zeros shrink to a twenty-thousandth.
_ZSTD_STEP = 1024

_OPENERS: dict[str, Callable[[io.BytesIO], Stream]] = {
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _Zstd,
}
