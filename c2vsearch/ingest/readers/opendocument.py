"""OpenDocument texts and presentations: paragraphs, lists and tables in order, headings by their level."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import attribute, local
from c2vsearch.ingest.package import dublin_core, open_package, parse_xml
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import grid
from c2vsearch.records import Document

Element = ElementTree.Element
_SILENT = frozenset({"tracked-changes", "annotation", "note", "sequence-decls", "forms", "table-of-content"})
_MOST_REPEATED = 1000
_DEEPEST = 10


def read_odt(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An ODT file; notes stand at the end.

    Raises:
        UnreadableDocument: "broken-odt", "encrypted", "bomb" or "no-text".
    """
    yield _read(blob, reading, kind="odt")


def read_odp(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An ODP file; pages are slides.

    Raises:
        UnreadableDocument: "broken-odp", "encrypted", "bomb" or "no-text".
    """
    yield _read(blob, reading, kind="odp")


def _read(blob: Blob, reading: Reading, *, kind: str) -> Document:
    archive = open_package(blob, reading, kind=kind)
    content = parse_xml(archive, "content.xml", kind=kind)
    parts = Parts()
    try:
        for body in (element for element in content if local(element.tag) == "body"):
            _add_children(parts, body)
        for note in (element for element in content.iter() if local(element.tag) == "note-body"):
            _add_children(parts, note)
    except RecursionError as error:
        raise UnreadableDocument(f"broken-{kind}", "its spans are nested too deep") from error
    there = "meta.xml" in archive.namelist()
    said = dublin_core(parse_xml(archive, "meta.xml", kind=kind), date="modified") if there else {}
    return parts.document(blob, kind=kind, title=str(said.pop("title", "")), metadata=said)


def _add_children(parts: Parts, root: Element) -> None:
    """Everything below an element, by a stack: files can nest deeper than Python's."""
    pending: list[tuple[Element, int]] = [(child, 0) for child in reversed(root)]
    while pending:
        element, depth = pending.pop()
        name = local(element.tag)
        if name in _SILENT:
            continue
        if name == "h":
            parts.add(_text(element), level=min(max(_number(attribute(element, "outline-level")), 1), _DEEPEST))
        elif name == "p":
            text = _text(element)
            level = 1 if attribute(element, "style-name") == "Title" else 0
            mark = "  " * (depth - 1) + "- " if depth and text.strip() else ""
            parts.add(mark + text, level=level, tight=depth > 0)
        elif name == "table":
            parts.add(grid(_rows(element)))
        else:
            if name == "page":
                parts.page()
            deeper = depth + (name == "list")
            pending += [(child, min(deeper, _DEEPEST)) for child in reversed(element)]


def _rows(table: Element) -> Iterator[list[str]]:
    for row in (element for element in table.iter() if local(element.tag) == "table-row"):
        cells = (cell for cell in row if local(cell.tag) == "table-cell")
        yield [" ".join(_text(line) for line in cell.iter() if local(line.tag) in ("p", "h")) for cell in cells]


def _text(element: Element) -> str:
    """Its text with the spaces, tabs and breaks that are elements of their own."""
    if local(element.tag) in _SILENT:
        return ""
    name = local(element.tag)
    told = {"tab": "\t", "line-break": "\n"}.get(name, "")
    if name == "s":
        count = attribute(element, "c") or "1"
        told = " " * min(_number(count), _MOST_REPEATED)
    # What stands between the elements of a paragraph is laid out, not written.
    text = told + " ".join((element.text or "").split("\n"))
    for child in element:
        text += _text(child) + " ".join((child.tail or "").split("\n"))
    return text


def _number(told: str) -> int:
    return int(told) if told.isdecimal() and len(told) < 10 else 1
