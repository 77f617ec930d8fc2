"""Presentations: a slide a page, its title a heading, with tables, groups and the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.package import dublin_core, open_package, parse_xml
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import grid
from c2vsearch.optional import require
from c2vsearch.records import Document

_NESTED = 16  # groups in groups


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
        for slide in pptx.Presentation(io.BytesIO(blob.data)).slides:
            parts.page()
            _add(parts, slide)
    except Exception as error:  # the parsers below it raise KeyError, ValueError, XML and zip errors
        raise UnreadableDocument("broken-pptx", f"{type(error).__name__}: {error}") from error
    there = "docProps/core.xml" in archive.namelist()
    said = dublin_core(parse_xml(archive, "docProps/core.xml", kind="pptx")) if there else {}
    title = str(said.pop("title", ""))
    # What the library writes where nobody gave a title.
    yield parts.document(blob, kind="pptx", title="" if title == "PowerPoint Presentation" else title, metadata=said)


def _add(parts: Parts, slide: Any) -> None:
    title = slide.shapes.title
    if title is not None:
        parts.add(" ".join(title.text_frame.text.split()), level=1)
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            for text in _texts(shape, _NESTED):
                parts.add(text)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        parts.add(f"Notes: {notes}" if notes else "")


def _texts(shape: Any, depth: int) -> Iterator[str]:
    if hasattr(shape, "shapes"):
        for inner in shape.shapes if depth else ():
            yield from _texts(inner, depth - 1)
    elif shape.has_text_frame:
        lines = (f"{'  ' * line.level}{line.text}".replace("\v", "\n") for line in shape.text_frame.paragraphs)
        yield "\n".join(line.rstrip() for line in lines if line.strip())
    elif getattr(shape, "has_table", False) and shape.has_table:
        yield grid([cell.text for cell in row.cells if not cell.is_spanned] for row in shape.table.rows)
    elif getattr(shape, "has_chart", False) and shape.has_chart and shape.chart.has_title:
        yield shape.chart.chart_title.text_frame.text
