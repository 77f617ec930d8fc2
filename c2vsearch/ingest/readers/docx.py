"""Word documents: paragraphs, lists and tables in order, headings by style or outline level, notes at the end."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.package import dublin_core, open_package, parse_xml
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import grid
from c2vsearch.optional import require
from c2vsearch.records import Document

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml", "word/comments.xml")


def read_docx(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A DOCX file.

    Raises:
        MissingDependency: python-docx is not installed.
        UnreadableDocument: "broken-docx", "encrypted", "bomb" or "no-text".
    """
    docx = require("docx", extra="office", purpose="reading Word documents")
    archive = open_package(blob, reading, kind="docx")
    parts = Parts()
    try:
        document = docx.Document(io.BytesIO(blob.data))
        for block in document.iter_inner_content():
            _add(parts, block)
    except Exception as error:  # the parsers below it raise KeyError, ValueError, XML and zip errors
        raise UnreadableDocument("broken-docx", f"{type(error).__name__}: {error}") from error
    there = set(archive.namelist())
    for name in _NOTES:
        if name in there:
            for note in parse_xml(archive, name, kind="docx"):
                parts.add(" ".join("".join(text.text or "" for text in note.iter(f"{_W}t")).split()))
    said = dublin_core(parse_xml(archive, "docProps/core.xml", kind="docx")) if "docProps/core.xml" in there else {}
    title = str(said.pop("title", ""))
    yield parts.document(blob, kind="docx", title=title, metadata=said)


def _add(parts: Parts, block: Any) -> None:
    if hasattr(block, "rows"):
        parts.add(grid(_cells(row) for row in block.rows))
        return
    text = _text(block).strip()
    listed = _is_listed(block)
    parts.add(f"- {text}" if listed and text else text, level=_level(block), tight=listed)


def _text(paragraph: Any) -> str:
    """Its runs, links and text boxes; text that was deleted under revision is left out."""
    told = []
    for element in paragraph._p.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr"):
        if any(parent.tag.endswith("}Fallback") for parent in element.iterancestors()):
            continue  # a text box is there twice, the second time for old programs
        told.append(element.text or "" if element.tag == f"{_W}t" else "\t" if element.tag == f"{_W}tab" else "\n")
    return "".join(told)


def _level(paragraph: Any) -> int:
    """The level of a heading, by the English name of its style or by its outline level in any language; 0 for text."""
    style = paragraph.style
    if style is None:
        return 0
    if style.name == "Title":
        return 1
    if match := _HEADING.match(style.name or ""):
        return int(match.group(1))
    found = style.element.find(f"{_W}pPr/{_W}outlineLvl")
    level = int(found.get(f"{_W}val", "9")) if found is not None else 9
    return level + 1 if level < 9 else 0


def _is_listed(paragraph: Any) -> bool:
    name = paragraph.style.name if paragraph.style is not None else ""
    return (name or "").startswith("List") or paragraph._p.find(f"{_W}pPr/{_W}numPr") is not None


def _cells(row: Any) -> list[str]:
    """Cells of a row; one that is merged over several columns is told once."""
    seen: list[Any] = []
    for cell in row.cells:
        if not seen or seen[-1]._tc is not cell._tc:
            seen.append(cell)
    return [cell.text for cell in seen]
