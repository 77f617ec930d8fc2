"""Offsets to the lines and pages people cite."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from c2vsearch.records import Document

_START = attrgetter("start")


class Places:
    r"""Line and page of each offset of a document, counted from 1 in the source file.

    Lines are counted from the offset that was asked for last: no list of them is kept.

    >>> places = Places(Document(id="d", source="a.txt", text="one\r\ntwo\nthree", kind="text"))
    >>> [places.line(offset) for offset in (0, 4, 5, 9, 5)]
    [1, 1, 2, 3, 2]
    """

    def __init__(self, document: Document) -> None:
        self._text, self._pages, self._marks = document.text, document.pages, document.lines
        self._offset, self._line = 0, 1

    def line(self, offset: int) -> int:
        """The line of the source file an offset lies in."""
        if self._marks:
            return self._marks[max(0, bisect_right(self._marks, offset, key=_START) - 1)].line
        if offset >= self._offset:
            self._line += self._breaks(self._offset, offset)
        else:
            self._line -= self._breaks(offset, self._offset)
        self._offset = offset
        return self._line

    def page(self, offset: int) -> int | None:
        """The page an offset lies on; None for formats without pages."""
        return max(1, bisect_right(self._pages, offset)) if self._pages else None

    def _breaks(self, start: int, end: int) -> int:
        """Line breaks that end in a span: after its start, up to its end."""
        text = self._text
        returns = text.count("\r", start, end)
        if not returns:
            return text.count("\n", start, end)
        # A pair is one break, which ends behind its second half.
        pairs = text.count("\r\n", start, end) + (text[end - 1 : end + 1] == "\r\n")
        return text.count("\n", start, end) + returns - pairs
