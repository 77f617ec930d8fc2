"""Where a passage is from, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass

from c2vsearch.records import path_of
from c2vsearch.terminal import visible_line


@dataclass(frozen=True, slots=True)
class Citation:
    r"""The place of a passage: a file, what it is in inside of that, pages or lines, and characters.

    ``start_line`` and ``end_line`` are lines of the file, from 1, inclusive; ``page`` and ``last_page`` count from 1,
    None for formats without pages. ``start:end`` are characters of the document's text, which is the text that
    `Chunk` and `Hit` count in. As a string it is one line, whatever a file or a heading is called.

    >>> print(Citation(1, "a.md", "", 0, 90, 3, 7, heading_path=("Ferries", "Two\nlines")))
    a.md:3-7 (Ferries > Two\nlines)
    >>> print(Citation(2, "mail.zip", "guide.pdf", 0, 90, 0, 0, page=4, last_page=5))
    mail.zip!/guide.pdf, pages 4-5
    """

    number: int
    source: str
    member: str
    start: int
    end: int
    start_line: int
    end_line: int
    page: int | None = None
    last_page: int | None = None
    heading_path: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """What people are shown: the file, or the place inside it."""
        return path_of(self.source, self.member)

    def __str__(self) -> str:
        """The place on one line, safe to print."""
        if self.page is not None:
            place = f"page {self.page}" if self.last_page == self.page else f"pages {self.page}-{self.last_page}"
            return visible_line(f"{self.path}, {place}")
        lines = f"{self.path}:{self.start_line}-{self.end_line}"
        return visible_line(f"{lines} ({' > '.join(self.heading_path)})" if self.heading_path else lines)
