"""The body of a Word document: its blocks in reading order, headings and lists by style, each word once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from c2vsearch.ingest.package import local
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.rows import grid

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_LIST = re.compile(r"list (?:bullet|number)(?: (\d))?$", re.IGNORECASE)
# Settings, what was deleted or moved elsewhere under revision, and the copies for old programs and for the ear.
_SILENT = frozenset({"pPr", "rPr", "sectPr", "tblPr", "trPr", "tcPr", "del", "moveFrom", "Fallback", "rt"})
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_BODY_TEXT = 9  # an outline level that means none


def add_body(parts: Parts, root: Any, styles: Styles) -> None:
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


def _add_paragraph(parts: Parts, paragraph: Any, styles: Styles) -> None:
    text, boxes = _pieces(paragraph)
    level = styles.level(paragraph)
    depth = 0 if level else styles.depth(paragraph)
    mark = "  " * (depth - 1) + "- " if depth and text else ""
    parts.add(mark + text, level=level, tight=depth > 0)
    for box in boxes:
        add_body(parts, box, styles)


def flat(root: Any) -> str:
    """All that is below an element on one line: a cell, a note."""
    told: list[str] = []
    for block in _blocks(root):
        if local(block.tag) == "tbl":
            told.append(grid([flat(cell) for cell in row] for row in _rows(block)))
        else:
            text, boxes = _pieces(block)
            told += [text, *map(flat, boxes)]
    return " ".join(" ".join(told).split())


def _blocks(root: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those in content controls and revisions."""
    for child in root:
        name = local(child.tag)
        if name in {"p", "tbl"}:
            yield child
        elif name not in _SILENT:
            yield from _blocks(child)


def _pieces(paragraph: Any) -> tuple[str, list[Any]]:
    """The text of a paragraph, and the text boxes that hang on it."""
    told: list[str] = []
    boxes: list[Any] = []
    _collect(paragraph, told, boxes)
    return "".join(told).strip(), boxes


def _collect(element: Any, told: list[str], boxes: list[Any]) -> None:
    for child in element:
        name = local(child.tag)
        if name == "t":
            told.append(child.text or "")
        elif name in _SIGNS:
            told.append(_SIGNS[name])
        elif name == "txbxContent":
            boxes.append(child)
        elif name not in _SILENT:
            _collect(child, told, boxes)


def _rows(table: Any) -> Iterator[list[Any]]:
    for row in _children(table, "tr"):
        if row.find(f"{_W}trPr/{_W}del") is None:
            yield [_own(cell) for cell in _children(row, "tc")]


def _own(cell: Any) -> Any:
    """The cell; its place, empty, where it continues the one above."""
    merge = cell.find(f"{_W}tcPr/{_W}vMerge")
    return () if merge is not None and merge.get(f"{_W}val", "continue") == "continue" else cell


def _children(root: Any, wanted: str) -> Iterator[Any]:
    for child in root:
        name = local(child.tag)
        if name == wanted:
            yield child
        elif name not in _SILENT and name not in {"tbl", "p"}:
            yield from _children(child, wanted)


class Styles:
    """What the styles of a document make of its paragraphs: headings of a level, items of a list.

    A style has the level of the one it is based on. Headings are known by the English name Word keeps in files of every
    language, or by their outline level.
    """

    def __init__(self, root: Any | None) -> None:
        self._root = root

    @cached_property
    def _styles(self) -> dict[str, Any]:
        found = self._root.iterfind(f"{_W}style") if self._root is not None else ()
        return {style.get(f"{_W}styleId", ""): style for style in found}

    def level(self, paragraph: Any) -> int:
        """The level of a heading; 0 for text."""
        for element in self._chain(paragraph):
            name = _value(element, "name")
            if name.lower() == "title":
                return 1
            if match := _HEADING.match(name):
                return int(match.group(1))
            if level := _value(element, "pPr", "outlineLvl"):
                return _number(level, _BODY_TEXT) + 1 if _number(level, _BODY_TEXT) < _BODY_TEXT else 0
        return 0

    def depth(self, paragraph: Any) -> int:
        """How deep in lists an item stands; 0 for what is none."""
        for element in self._chain(paragraph):
            if match := _LIST.match(_value(element, "name")):
                return int(match.group(1) or 1)
            if number := _value(element, "pPr", "numPr", "numId"):
                return min(_number(_value(element, "pPr", "numPr", "ilvl"), 0), 8) + 1 if number != "0" else 0
        return 0

    def _chain(self, paragraph: Any) -> Iterator[Any]:
        """The paragraph, its style, the one that is based on, and so on."""
        yield paragraph
        seen = set()
        style = _value(paragraph, "pPr", "pStyle")
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style]
            style = _value(self._styles[style], "basedOn")


def _value(element: Any, *path: str) -> str:
    found = element.find("/".join(f"{_W}{name}" for name in path))
    return str(found.get(f"{_W}val", "")) if found is not None else ""


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else otherwise
