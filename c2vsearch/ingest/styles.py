"""The styles of a Word document: which of its paragraphs are headings, and which are items of lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from c2vsearch.ingest.element import attribute, child, local

_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_LIST = re.compile(r"list (?:bullet|number)(?: (\d))?$", re.IGNORECASE)
_BODY_TEXT = 9  # an outline level that means none
# In bounds, because a tag made for it could take forever.
_OF_OTHERS = re.compile(
    rb"""<(\w{1,20}:)?style\s[^<>]{0,500}?\btype\s?=\s?["'](?:table|character|numbering)["'][^<>]{0,500}(?<!/)>"""
)


def without_looks(styles: bytes) -> bytes:
    """A part with styles but for those of tables, characters and numbers, which are most of it and tell nothing here.

    >>> without_looks(b"<w:style w:type='table'><w:name/></w:style><w:style w:type='paragraph'/>")
    b"<w:style w:type='paragraph'/>"
    """
    if b"<!" in styles:  # a comment may hold what looks like a style
        return styles
    kept, begin = [], 0
    while tag := _OF_OTHERS.search(styles, begin):
        closing = b"</" + (tag[1] or b"") + b"style>"
        end = styles.find(closing, tag.end())
        if end < 0:
            break
        kept.append(styles[begin : tag.start()])
        begin = end + len(closing)
    return b"".join([*kept, styles[begin:]])


@dataclass(frozen=True, slots=True)
class Place:
    """What a paragraph or a style says of where text stands; None where it leaves that to the style it is based on.

    ``level`` is that of a heading, 0 for text; ``depth`` how deep in lists an item stands, 0 for what is none.
    """

    level: int | None = None
    depth: int | None = None

    def over(self, other: Place) -> Place:
        """What the first of two says, and the second where that is silent."""
        return Place(
            other.level if self.level is None else self.level, other.depth if self.depth is None else self.depth
        )


class Styles:
    """What the styles of a document make of its paragraphs: headings of a level, items of a list.

    A style has the level of the one it is based on. Headings are known by the English name Word keeps in files of every
    language, or by their outline level.
    """

    def __init__(self, root: Iterable[Element]) -> None:
        self._styles = {attribute(style, "styleId"): style for style in root if local(style.tag) == "style"}
        self._places: dict[str, Place] = {}

    def place(self, paragraph: Element) -> Place:
        """Where a paragraph stands: by itself, its style, the one that is based on, and so on."""
        properties = child(paragraph, "pPr")
        name = _value(properties, "pStyle")
        if name not in self._places:
            self._places[name] = self._of_style(name)
        return _said(properties).over(self._places[name])

    def _of_style(self, name: str) -> Place:
        place, seen = Place(), set()
        while name in self._styles and name not in seen:
            seen.add(name)
            style = self._styles[name]
            place = place.over(_named(_value(style, "name"))).over(_said(child(style, "pPr")))
            name = _value(style, "basedOn")
        return place


def _named(name: str) -> Place:
    """What the name of a style says."""
    if name.lower() == "title":
        return Place(level=1)
    heading, item = _HEADING.match(name), _LIST.match(name)
    return Place(int(heading.group(1)) if heading else None, int(item.group(1) or 1) if item else None)


def _said(properties: Element | None) -> Place:
    """What the properties of a paragraph, or of a style, say."""
    level, number = _value(properties, "outlineLvl"), _value(properties, "numPr", "numId")
    depth = min(_number(_value(properties, "numPr", "ilvl"), 0), 8) + 1 if number != "0" else 0
    return Place(_heading(_number(level, _BODY_TEXT)) if level else None, depth if number else None)


def _heading(outline: int) -> int:
    return outline + 1 if outline < _BODY_TEXT else 0


def _value(element: Element | None, *path: str) -> str:
    return attribute(child(element, *path), "val")


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else otherwise
