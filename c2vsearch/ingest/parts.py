"""A text put together from parts, with where each heading, page and line of it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob
from c2vsearch.ingest.text import fit, storable
from c2vsearch.records import Document, Heading, LineMark, Value

_SPACE = re.compile(r"\s+")
BREAK = "\n\n"


class Parts:
    r"""Paragraphs in reading order, an empty line between them.

    >>> parts = Parts()
    >>> parts.add("Ferries", level=1)
    >>> parts.add("They leave at nine.")
    >>> document = parts.document(Blob("a.odt", b""), kind="odt")
    >>> document.text, document.headings, document.title
    ('Ferries\n\nThey leave at nine.', (Heading(start=0, level=1, title='Ferries'),), 'Ferries')
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._headings: list[Heading] = []
        self._pages: list[int] = []
        self._lines: list[LineMark] = []
        self._offset = 0

    def add(
        self, text: str, *, level: int = 0, line: int = 0, tight: bool = False, marks: Iterable[LineMark] = ()
    ) -> None:
        """One part; a heading when it has a level, with its line in the file where that is known.

        ``tight`` puts it on the line after the part before, as items of a list and rows of a table are. ``marks``, by
        offsets of the part, say more than ``line`` where its lines are not those of the file.
        """
        text = storable(text) if marks else fit(text)
        if not text.strip():
            return
        glue = "" if not self._texts else "\n" if tight else BREAK
        self._texts.append(glue + text)
        self._offset += len(glue)
        if level:
            self._headings.append(Heading(self._offset, level, _SPACE.sub(" ", text).strip()))
        if marks:
            self._lines += [LineMark(self._offset + mark.start, mark.line) for mark in marks]
        elif line:
            self._lines.append(LineMark(self._offset, line))
            ends = (match.end() for match in re.finditer("\n", text))
            self._lines += [LineMark(self._offset + at, line + more) for more, at in enumerate(ends, start=1)]
        self._offset += len(text)

    @property
    def has_text(self) -> bool:
        """Whether anything was added."""
        return bool(self._texts)

    @property
    def first_heading(self) -> str:
        """The words of the first heading, of any level; "" without one."""
        return self._headings[0].title if self._headings else ""

    def page(self) -> None:
        """What is added from now on is on the next page."""
        self._pages.append(self._offset + (len(BREAK) if self._texts else 0))

    def document(
        self, blob: Blob, *, kind: str, title: str = "", metadata: Mapping[str, Value] | None = None
    ) -> Document:
        """All of it.

        Raises:
            UnreadableDocument: "no-text".
        """
        if not self._texts:
            raise UnreadableDocument("no-text", "it has no text")
        title = _SPACE.sub(" ", fit(title)).strip()
        text = "".join(self._texts)
        pages = (min(start, len(text)) for start in self._pages)  # empty ones at the end begin where the text ends
        return Document(
            id="", source=blob.source, member=blob.member, text=text, kind=kind,
            title=title or next((heading.title for heading in self._headings if heading.level == 1), ""),
            headings=tuple(self._headings), pages=tuple(pages), lines=tuple(self._lines),
            metadata={name: value for name, value in (metadata or {}).items() if value not in ("", ())},
        )  # fmt: skip
