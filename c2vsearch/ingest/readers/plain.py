"""Text as it is: no structure is read into it."""

from __future__ import annotations

from collections.abc import Iterator

from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document


def read_plain(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A text file, verbatim."""
    yield Document(id="", source=blob.source, member=blob.member, text=decode(blob.data), kind="text")
