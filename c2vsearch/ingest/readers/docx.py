"""Word documents: paragraphs and tables in order, headings by style."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.optional import require
from c2vsearch.records import Document, Heading

MAX_UNPACKED_BYTES = 300_000_000
MAX_RATIO = 200
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A DOCX file.

    Raises:
        MissingDependency: python-docx is not installed.
        UnreadableDocument: "broken-docx", "zip-bomb" or "no-text".
    """
    docx = require("docx", extra="office", purpose="reading Word documents")
    _refuse_bomb(blob.data)
    try:
        document = docx.Document(io.BytesIO(blob.data))
        blocks = [_block(block) for block in document.iter_inner_content()]
        title = (document.core_properties.title or "").strip()
    except Exception as error:  # the parsers below it raise KeyError, ValueError, XML and zip errors
        raise UnreadableDocument("broken-docx", f"{type(error).__name__}: {error}") from error
    parts: list[str] = []
    headings: list[Heading] = []
    offset = 0
    for text, level in blocks:
        if not text.strip():
            continue
        if level:
            headings.append(Heading(offset, level, " ".join(text.split())))
        parts.append(text)
        offset += len(text) + 2
    if not parts:
        raise UnreadableDocument("no-text", "the document has no text")
    title = title or next((heading.title for heading in headings if heading.level == 1), "")
    yield Document(
        id="",
        source=blob.source,
        member=blob.member,
        text="\n\n".join(parts),
        kind="docx",
        title=title,
        headings=tuple(headings),
    )


def _block(block: Any) -> tuple[str, int]:
    """Text and heading level (0 for none) of a paragraph or table."""
    if hasattr(block, "rows"):
        rows = [" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in block.rows]
        return "\n".join(rows), 0
    style = block.style.name if block.style is not None else ""
    if style == "Title":
        return block.text.strip(), 1
    match = _HEADING.match(style)
    return block.text.strip(), int(match.group(1)) if match else 0


def _refuse_bomb(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise UnreadableDocument("broken-docx", f"not a Word document: {error}") from error
    if unpacked > MAX_UNPACKED_BYTES or unpacked > MAX_RATIO * max(len(data), 1):
        raise UnreadableDocument("zip-bomb", f"{len(data)} bytes would unpack to {unpacked}")
