"""Presentations: a slide a page, its title a heading, with tables, groups and the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.package import open_package, said_of_itself
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import grid
from c2vsearch.optional import require
from c2vsearch.records import Document

_NESTED = 16  # groups in groups
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_FURNITURE = frozenset({"dt", "ftr", "hdr", "sldNum"})  # the same on every slide


def read_slides(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A PPTX file. Pages are slides; one without text counts as well.

    Raises:
        MissingDependency: python-pptx is not installed.
        UnreadableDocument: "broken-pptx", "encrypted", "bomb" or "no-text".
    """
    pptx = require("pptx", extra="office", purpose="reading presentations")
    archive = open_package(blob, reading, kind="pptx")
    parts = Parts()
    try:
        # Not `pptx.Presentation`, which refuses what opens as a slide show.
        for slide in pptx.package.Package.open(io.BytesIO(blob.data)).presentation_part.presentation.slides:
            parts.page()
            _add(parts, slide)
    except Exception as error:  # the parsers below it raise KeyError, ValueError, XML and zip errors
        raise UnreadableDocument("broken-pptx", f"{type(error).__name__}: {error}") from error
    said = said_of_itself(archive, "docProps/core.xml", kind="pptx")
    title = str(said.pop("title", ""))
    # What the library writes where nobody gave a title.
    yield parts.document(blob, kind="pptx", title="" if title == "PowerPoint Presentation" else title, metadata=said)


def _add(parts: Parts, slide: Any) -> None:
    title = slide.shapes.title
    if title is not None:
        parts.add(" ".join(title.text_frame.text.split()), level=1)
    for shape in slide.shapes:
        if (title is None or shape.element is not title.element) and not _is_furniture(shape):
            for text in _texts(shape, _NESTED):
                parts.add(text)
    for text in _beyond_the_library(slide):
        parts.add(text)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = _spoken(slide.notes_slide.notes_text_frame.text)
        parts.add(f"Notes: {notes}" if notes else "")


def _is_furniture(shape: Any) -> bool:
    return bool(shape.is_placeholder) and shape.element.ph.get("type") in _FURNITURE


def _beyond_the_library(slide: Any) -> Iterator[str]:
    """Shapes there are in a new and an old form, and the words of diagrams, which lie in files of their own."""
    for both in slide.element.iter(f"{_MC}AlternateContent"):
        if (new := both.find(f"{_MC}Choice")) is not None:
            yield _lines(new)
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith("/diagramData"):
            yield _lines(_parsed(relation.target_part.blob))


def _lines(root: Any) -> str:
    lines = ("".join(text.text or "" for text in line.iter(f"{_A}t")) for line in root.iter(f"{_A}p"))
    return "\n".join(line for line in lines if line.strip())


def _parsed(data: bytes) -> Any:
    # By the parser of the library, which takes no entities.
    return require("pptx.oxml", extra="office", purpose="reading presentations").parse_xml(data)


def _spoken(text: str) -> str:
    return text.replace("\v", "\n").strip()


def _texts(shape: Any, depth: int) -> Iterator[str]:
    if hasattr(shape, "shapes"):
        for inner in shape.shapes if depth else ():
            yield from _texts(inner, depth - 1)
    elif shape.has_text_frame:
        lines = (f"{'  ' * line.level}{_spoken(line.text)}" for line in shape.text_frame.paragraphs)
        yield "\n".join(line.rstrip() for line in lines if line.strip())
    elif getattr(shape, "has_table", False) and shape.has_table:
        yield grid([cell.text for cell in row.cells if not cell.is_spanned] for row in shape.table.rows)
    elif getattr(shape, "has_chart", False) and shape.has_chart and shape.chart.has_title:
        yield shape.chart.chart_title.text_frame.text
