"""Rich Text Format: its paragraphs. What it says of headings is in styles that few programs name alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.optional import require
from c2vsearch.records import Document

_INFO = re.compile(r"\{\\(title|author|subject|keywords)\s((?:[^{}\\]|\\[^\\{}]){1,500})\}")
_PICTURES = re.compile(r"[0-9a-fA-F\s]{2000,}")  # of no use for the text, and most of the bytes
_MOST_BYTES = 50_000_000


def read_rtf(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An RTF file.

    Raises:
        MissingDependency: striprtf is not installed.
        UnreadableDocument: "broken-rtf", "too-large" or "no-text".
    """
    striprtf = require("striprtf.striprtf", extra="office", purpose="reading RTF files")
    if not blob.data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableDocument("broken-rtf", "it does not begin as an RTF file does")
    if len(blob.data) > _MOST_BYTES:
        raise UnreadableDocument("too-large", f"{len(blob.data)} bytes; the limit for RTF is {_MOST_BYTES}")
    source = _PICTURES.sub("", decode(blob.data))
    try:
        text = striprtf.rtf_to_text(source, errors="replace")
    except Exception as error:  # it raises what its parsing stumbles over
        raise UnreadableDocument("broken-rtf", f"{type(error).__name__}: {error}") from error
    parts = Parts()
    for line in text.split("\n"):
        parts.add(line.rstrip())
    said = {name: _plain(striprtf, value) for name, value in _INFO.findall(source)}
    metadata = properties(said.items())
    yield parts.document(blob, kind="rtf", title=str(metadata.pop("title", "")), metadata=metadata)


def _plain(striprtf: ModuleType, value: str) -> str:
    return str(striprtf.rtf_to_text(f"{{\\rtf1 {value}}}", errors="replace")).strip()
