"""The body of a Word document: its blocks in reading order, headings and lists by style, each word once."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from c2vsearch.ingest.element import attribute, child, local
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.rows import grid
from c2vsearch.ingest.styles import Styles

# Settings, what was deleted or moved elsewhere under revision, and the copies for old programs and for the ear.
_SILENT = frozenset({"pPr", "rPr", "sectPr", "tblPr", "trPr", "tcPr", "del", "moveFrom", "Fallback", "rt"})
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def add_body(parts: Parts, root: Element, styles: Styles) -> None:
    """Paragraphs, lists and tables below an element; a table of one column is a frame around what is in it."""
    for block in _blocks(root):
        if local(block.tag) == "tbl":
            rows = list(_rows(block))
            if all(len(row) < 2 for row in rows):
                for cell in (cell for row in rows for cell in row):
                    add_body(parts, cell, styles)
            else:
                parts.add(grid([flat(cell) for cell in row] for row in rows))
        else:
            _add_paragraph(parts, block, styles)


def _add_paragraph(parts: Parts, paragraph: Element, styles: Styles) -> None:
    text, boxes = _pieces(paragraph)
    place = styles.place(paragraph)
    level = place.level or 0
    depth = 0 if level else place.depth or 0
    mark = "  " * (depth - 1) + "- " if depth and text else ""
    parts.add(mark + text, level=level, tight=depth > 0)
    for box in boxes:
        add_body(parts, box, styles)


def flat(root: Element) -> str:
    """All that is below an element on one line: a cell, a note."""
    told: list[str] = []
    for block in _blocks(root):
        if local(block.tag) == "tbl":
            told.append(grid([flat(cell) for cell in row] for row in _rows(block)))
        else:
            text, boxes = _pieces(block)
            told += [text, *map(flat, boxes)]
    return " ".join(" ".join(told).split())


def _blocks(root: Element) -> Iterator[Element]:
    """Paragraphs and tables, also those in content controls and revisions."""
    for inner in root:
        name = local(inner.tag)
        if name in {"p", "tbl"}:
            yield inner
        elif name not in _SILENT:
            yield from _blocks(inner)


def _pieces(paragraph: Element) -> tuple[str, list[Element]]:
    """The text of a paragraph, and the text boxes that hang on it."""
    told: list[str] = []
    boxes: list[Element] = []
    _collect(paragraph, told, boxes)
    return "".join(told).strip(), boxes


def _collect(element: Element, told: list[str], boxes: list[Element]) -> None:
    for inner in element:
        name = local(inner.tag)
        if name == "t":
            told.append(inner.text or "")
        elif name in _SIGNS:
            told.append(_SIGNS[name])
        elif name == "txbxContent":
            boxes.append(inner)
        elif name not in _SILENT:
            _collect(inner, told, boxes)


def _rows(table: Element) -> Iterator[list[Element]]:
    for row in _children(table, "tr"):
        if child(row, "trPr", "del") is None:
            yield [_own(cell) for cell in _children(row, "tc")]


def _own(cell: Element) -> Element:
    """The cell; its place, empty, where it continues the one above."""
    merge = child(cell, "tcPr", "vMerge")
    return Element("tc") if merge is not None and attribute(merge, "val", "continue") == "continue" else cell


def _children(root: Element, wanted: str) -> Iterator[Element]:
    for inner in root:
        name = local(inner.tag)
        if name == wanted:
            yield inner
        elif name not in _SILENT and name not in {"tbl", "p"}:
            yield from _children(inner, wanted)
