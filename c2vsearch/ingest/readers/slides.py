"""Presentations: a slide a page, its title a heading, with tables, groups and the speaker's notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import attribute, child, local
from c2vsearch.ingest.package import open_package, parse_xml, said_of_itself
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.relations import main_part, reference, relations
from c2vsearch.ingest.rows import grid
from c2vsearch.records import Document

_KIND = "pptx"
_NESTED = 16  # groups in groups
_DEEPEST = 8  # level of a paragraph
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_FURNITURE = frozenset({"dt", "ftr", "hdr", "sldNum"})  # the same on every slide
_TRUE = frozenset({"1", "true"})


def read_slides(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A PPTX file. Pages are slides; one without text counts as well.

    Raises:
        UnreadableDocument: "broken-pptx", "encrypted", "bomb" or "no-text".
    """
    archive = open_package(blob, reading, kind=_KIND)
    parts = Parts()
    for name in _slides(archive):
        parts.page()
        _Slide(archive, name).add_to(parts)
    said = said_of_itself(archive, "docProps/core.xml", kind=_KIND)
    title = str(said.pop("title", ""))
    # What a library writes where nobody gave a title.
    yield parts.document(blob, kind=_KIND, title="" if title == "PowerPoint Presentation" else title, metadata=said)


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """The members that hold the slides, in the order in which they are shown."""
    name, root = main_part(archive, kind=_KIND)
    if local(root.tag) != "presentation":
        raise UnreadableDocument(
            "broken-pptx", f"its main part is a <{local(root.tag)}>; expected that of a presentation"
        )
    related = relations(archive, name, kind=_KIND)
    shown = child(root, "sldIdLst")
    try:
        return [related[reference(slide)].target for slide in (shown if shown is not None else ())]
    except KeyError as error:
        raise UnreadableDocument("broken-pptx", f"the slide of relation {error} is not in the file") from error


class _Slide:
    """A slide, and what it is related to: charts, diagrams, notes."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self._root = parse_xml(archive, name, kind=_KIND)
        self._related = relations(archive, name, kind=_KIND)

    def add_to(self, parts: Parts) -> None:
        """The title, the shapes in their order, what has a form of its own, and the notes."""
        shapes = _shapes(self._root)
        title = next((shape for shape in shapes if _is_title(shape)), None)
        if title is not None:
            parts.add(" ".join(_text(title).split()), level=1)
        for shape in shapes:
            if shape is not title and attribute(_placeholder(shape), "type") not in _FURNITURE:
                for text in self._texts(shape, _NESTED):
                    parts.add(text)
        for text in (*self._in_two_forms(), *map(_all_lines, self._parts("diagramData"))):
            parts.add(text)
        for notes in self._parts("notesSlide"):
            spoken = _spoken(notes)
            parts.add(f"Notes: {spoken}" if spoken else "")

    def _parts(self, kind: str) -> Iterator[Element]:
        for relation in self._related.values():
            if relation.kind == kind:
                yield parse_xml(self._archive, relation.target, kind=_KIND)

    def _in_two_forms(self) -> Iterator[str]:
        """Shapes there are in a new and an old form: the new one."""
        for both in self._root.iter(f"{_MC}AlternateContent"):
            if (new := child(both, "Choice")) is not None:
                yield _all_lines(new)

    def _texts(self, shape: Element, depth: int) -> Iterator[str]:
        name = local(shape.tag)
        if name == "grpSp":
            for inner in shape if depth else ():
                yield from self._texts(inner, depth - 1)
        elif name == "sp":
            yield "\n".join(line for line in map(_indented, _paragraphs(shape)) if line)
        elif name == "graphicFrame":
            data = child(shape, "graphic", "graphicData")
            if (table := child(data, "tbl")) is not None:
                yield grid(_rows(table))
            yield self._title_of_chart(child(data, "chart"))

    def _title_of_chart(self, chart: Element | None) -> str:
        relation = self._related.get(reference(chart)) if chart is not None else None
        if relation is None:
            return ""
        title = child(parse_xml(self._archive, relation.target, kind=_KIND), "chart", "title", "tx")
        return "\n".join(_told(line) for line in _paragraphs(title, "rich"))


def _shapes(slide: Element) -> list[Element]:
    tree = child(slide, "cSld", "spTree")
    return list(tree) if tree is not None else []


def _placeholder(shape: Element) -> Element | None:
    """What says of which kind a shape is, where the layout of the slide has a place for it."""
    return child(next(iter(shape), None), "nvPr", "ph")


def _is_title(shape: Element) -> bool:
    place = _placeholder(shape)
    return place is not None and local(shape.tag) == "sp" and attribute(place, "idx", "0") == "0"


def _spoken(notes: Element) -> str:
    """The speaker's text on a page of notes."""
    body = (shape for shape in _shapes(notes) if attribute(_placeholder(shape), "type") == "body")
    return _text(next(body, None)).strip()


def _paragraphs(shape: Element | None, body: str = "txBody") -> list[Element]:
    text = child(shape, body)
    return [line for line in text if local(line.tag) == "p"] if text is not None else []


def _text(shape: Element | None) -> str:
    return "\n".join(map(_told, _paragraphs(shape)))


def _told(paragraph: Element) -> str:
    """Runs, fields and breaks."""
    told = []
    for inner in paragraph:
        name = local(inner.tag)
        if name in ("r", "fld"):
            text = child(inner, "t")
            told.append(text.text or "" if text is not None else "")
        elif name == "br":
            told.append("\n")
    return "".join(told)


def _indented(paragraph: Element) -> str:
    text = _told(paragraph).strip()
    level = attribute(child(paragraph, "pPr"), "lvl")
    depth = min(int(level), _DEEPEST) if level.isascii() and level.isdigit() and len(level) < 4 else 0
    return "  " * depth + text if text else ""


def _all_lines(root: Element) -> str:
    """All there is to read below an element, paragraph by paragraph."""
    lines = (_told(line) for line in root.iter() if local(line.tag) == "p")
    return "\n".join(line for line in lines if line.strip())


def _rows(table: Element) -> Iterator[list[str]]:
    """Rows of cells; those that others stretch over have no place."""
    for row in (inner for inner in table if local(inner.tag) == "tr"):
        cells = (cell for cell in row if local(cell.tag) == "tc")
        yield [_text(cell) for cell in cells if not {attribute(cell, "hMerge"), attribute(cell, "vMerge")} & _TRUE]
