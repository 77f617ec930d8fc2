"""Offsets to the lines and pages people cite."""

from __future__ import annotations

import re
from bisect import bisect_right

from c2vsearch.records import Document

_NEWLINE = re.compile("\r\n|\r|\n")


class Places:
    r"""Line and page of each offset of a document, counted from 1 in the source file.

    >>> places = Places(Document(id="d", source="a.txt", text="one\r\ntwo\nthree", kind="text"))
    >>> [places.line(offset) for offset in (0, 4, 5, 9)]
    [1, 1, 2, 3]
    """

    def __init__(self, document: Document) -> None:
        self._pages = document.pages
        if document.lines:
            self._starts = [mark.start for mark in document.lines]
            self._lines = [mark.line for mark in document.lines]
        else:
            self._starts = [0, *(match.end() for match in _NEWLINE.finditer(document.text))]
            self._lines = list(range(1, len(self._starts) + 1))

    def line(self, offset: int) -> int:
        """The line of the source file an offset lies in."""
        return self._lines[max(0, bisect_right(self._starts, offset) - 1)]

    def page(self, offset: int) -> int | None:
        """The page an offset lies on; None for formats without pages."""
        return max(1, bisect_right(self._pages, offset)) if self._pages else None
