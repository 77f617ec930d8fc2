"""What a stretch of text is made of: paragraphs, lists, tables, fenced code, found line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Shape = Literal["prose", "list", "item", "table", "code", "row", "line", "sentence"]

VISIBLE = re.compile(r"\S")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
# What a line begins with. Numbers of more digits are years and amounts.
_MARK = re.compile(r"[ \t]*(?:(?P<fence>`{3,}|~{3,})|(?P<item>(?:[-*+•◦▪]|\d{1,3}[.)])[ \t])|(?P<row>\||\+[-=]))?")
_CELLS = " | "


@dataclass(frozen=True, slots=True)
class Block:
    """A span of the document. ``header`` is where the header row of its table stands."""

    start: int
    end: int
    shape: Shape
    header: tuple[int, int] | None = None


def mark_of(text: str, first: int, last: int) -> re.Match[str]:
    """What a line begins with: a group of the match is "fence", "item" or "row", if any is."""
    return _MARK.match(text, first, last)  # type: ignore[return-value]  # it matches nothing as well


def blocks(text: str, start: int, end: int) -> Iterator[Block]:
    r"""The blocks between two offsets. A paragraph that leads into a list belongs to it.

    >>> text = "One.\n\n```\na\n\nb\n```\nTwo:\n- three\n\n  more\nA | B\n1 | 2\n"
    >>> [(b.shape, text[b.start:b.end]) for b in blocks(text, 0, len(text))]  # doctest: +NORMALIZE_WHITESPACE
    [('prose', 'One.\n'), ('code', '```\na\n\nb\n```\n'), ('list', 'Two:\n- three\n\n  more\n'),
     ('table', 'A | B\n1 | 2\n')]
    """
    return _Lines(text, start, end).blocks()


class _Lines:
    """One pass over the lines: the block that is open, and what would end it."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._start, self._end = text, start, end
        self._begin = start
        self._shape: Shape | None = None
        self._fence = ""
        self._gap = -1  # where the empty lines after a list began: it may go on behind them

    def blocks(self) -> Iterator[Block]:
        for line in LINE.finditer(self._text, self._start, self._end):
            first, last = line.span()
            if self._fence:
                if self._closes(first, last):
                    self._fence = ""
                    if self._shape == "code":
                        yield from self._close(last)
            elif VISIBLE.search(self._text, first, last):
                yield from self._line(first, last)
            else:
                yield from self._blank(first)
        yield from self._close(self._end if self._gap < 0 else self._gap)

    def _line(self, first: int, last: int) -> Iterator[Block]:
        mark = mark_of(self._text, first, last)
        indented = self._text[first] in " \t"
        if self._gap >= 0 and not indented and mark.lastgroup != "item":
            yield from self._close(self._gap)
        self._gap = -1
        shape = self._shape_of(mark, last, indented=indented)
        if self._shape is None:
            self._begin, self._shape = first, shape
        elif shape == "list" and self._shape == "prose":
            self._shape = "list"  # with the line that leads into it
        elif shape != self._shape and not (self._shape == "list" and (shape == "prose" or indented)):
            yield from self._close(first)
            self._begin, self._shape = first, shape
        if mark.lastgroup == "fence":
            self._fence = mark.group("fence")

    def _shape_of(self, mark: re.Match[str], last: int, *, indented: bool) -> Shape:
        if mark.lastgroup == "fence":
            return "code"
        if mark.lastgroup == "item":
            return "list"
        if mark.lastgroup == "row":
            return "table"
        if self._text.find(_CELLS, mark.end(), last) >= 0 and (self._shape == "table" or self._row_follows(last)):
            return "table"
        return "prose"

    def _row_follows(self, last: int) -> bool:
        """Whether the next line has cells too: one line with a bar in it is no table."""
        following = LINE.match(self._text, last, self._end)
        return following is not None and self._text.find(_CELLS, *following.span()) >= 0

    def _blank(self, first: int) -> Iterator[Block]:
        if self._shape == "list":
            self._gap = first if self._gap < 0 else self._gap
        else:
            yield from self._close(first)

    def _closes(self, first: int, last: int) -> bool:
        mark = mark_of(self._text, first, last)
        if mark.lastgroup != "fence" or not mark.group("fence").startswith(self._fence):
            return False
        return VISIBLE.search(self._text, mark.end(), last) is None

    def _close(self, at: int) -> Iterator[Block]:
        if self._shape is not None:
            yield Block(self._begin, at, self._shape)
        self._shape, self._gap, self._begin = None, -1, at
