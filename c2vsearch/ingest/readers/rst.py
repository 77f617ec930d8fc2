"""reStructuredText, verbatim, with its section titles. Levels follow the order in which underlines appear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading

_UNDERLINE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_FIELD = re.compile(r":([A-Za-z][\w -]{0,40}):[ \t]+(\S.*)")
_ROLE = re.compile(r":[\w:.+-]{1,40}:`([^`<]*?)(?:\s*<[^`>]*>)?`")
_FIELDS_WITHIN = 40  # lines from the top: further down they describe something else


def read_rst(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A reStructuredText file; the field list at its top is metadata as well."""
    text = decode(blob.data)
    headings = rst_headings(text)
    said = properties(_fields(text))
    title = str(said.pop("title", "")) or (headings[0].title if headings else "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="rst", title=title, headings=tuple(headings),
        metadata=said,
    )  # fmt: skip


def rst_headings(text: str) -> list[Heading]:
    r"""Titles with an underline, and with an overline as well.

    >>> [(h.level, h.title) for h in rst_headings("Top\n===\n\nPart\n----\n\nMore\n----\n")]
    [(1, 'Top'), (2, 'Part'), (2, 'More')]
    """
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    styles: list[str] = []
    headings: list[Heading] = []
    for number in range(1, len(lines)):
        title, under = lines[number - 1].rstrip(), lines[number].rstrip()
        match = _UNDERLINE.match(under)
        if not match or not title.strip() or _UNDERLINE.match(title) or len(under) < len(title.strip()):
            continue
        over = number >= 2 and lines[number - 2].rstrip() == under
        if not over and title[0].isspace():
            continue  # indented text above a line of dashes is no title
        style = match.group(1) * (2 if over else 1)
        if style not in styles:
            styles.append(style)
        start = starts[number - 2] if over else starts[number - 1]
        headings.append(Heading(start, styles.index(style) + 1, _plain(title)))
    return headings


def _plain(title: str) -> str:
    return _ROLE.sub(r"\1", title).strip().replace("``", "").replace("`", "")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """``:Author: Ann`` at the start of a line, up to the first paragraph of text."""
    seen = False
    for line in text[:20_000].split("\n")[:_FIELDS_WITHIN]:
        if match := _FIELD.match(line):
            seen = True
            yield match.group(1), match.group(2).strip()
        elif seen and not line.strip():
            return
