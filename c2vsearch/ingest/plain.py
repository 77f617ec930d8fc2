"""Text as it is: no structure is read into it."""

from __future__ import annotations

from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, SourceFile


def read_plain(file: SourceFile, data: bytes) -> Document:
    """A text file, verbatim."""
    return Document(id="", source=file.source, text=decode(data), kind="text")
