"""AsciiDoc, verbatim, with its headings and the attributes of its header."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_DELIMITER = re.compile(r"(-{4,}|\.{4,}|/{4,}|\+{4,}|={4,}|\*{4,}|_{4,}|`{3,}|\|===|--)[ \t]*$")
_VERBATIM = frozenset("-./+`")  # what these enclose has no headings; sections may stand in the other blocks
_ATTRIBUTE = re.compile(r":([A-Za-z0-9_][\w-]{0,60}):[ \t]*(.*)")
_AUTHOR = re.compile(r"([^\W\d_][\w.' -]{1,80}?)(?:[ \t]*<([^<>@\s]+@[^<>\s]+)>)?(?:;|$)")
_REVISION = re.compile(r"v?[\w.]*,?[ \t]*(\d{4}-\d{2}-\d{2})")
_KEPT = frozenset({"author", "authors", "revdate", "date", "docdate", "keywords", "lang", "description"})


def read_asciidoc(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An AsciiDoc file."""
    text = decode(blob.data)
    headings = asciidoc_headings(text)
    title = headings[0].title if headings and headings[0].level == 1 else ""
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="asciidoc", title=title,
        headings=tuple(headings), metadata=properties(_header(text)),
    )  # fmt: skip


def asciidoc_headings(text: str) -> list[Heading]:
    r"""Section titles outside of listings, literal and comment blocks.

    >>> [(h.level, h.title) for h in asciidoc_headings("= Top\n\n----\n== code\n----\n\n== Part\n")]
    [(1, 'Top'), (2, 'Part')]
    """
    headings: list[Heading] = []
    closing, offset = "", 0
    for line in re.split("(?<=\n)", text):
        bare = line.rstrip()
        if closing:
            closing = "" if bare == closing else closing
        elif (match := _DELIMITER.match(bare)) and bare != "--" and bare[0] in _VERBATIM:
            closing = bare
        elif match := _HEADING.match(bare):
            title = match.group(2).rstrip("=# \t").strip()
            headings.append(Heading(offset, len(match.group(1)), title.replace("`", "").replace("*", "")))
        offset += len(line)
    return [heading for heading in headings if heading.title]


def _header(text: str) -> Iterator[tuple[str, object]]:
    """The lines under the document title: author, revision and attributes."""
    lines = text[:20_000].split("\n")
    titled = bool(lines) and lines[0].startswith("= ")
    if titled and len(lines) > 1 and (authors := _AUTHOR.findall(lines[1].rstrip())) and not lines[1].startswith(":"):
        yield "author", [name.strip() for name, _ in authors]
        if len(lines) > 2 and (revision := _REVISION.match(lines[2].strip())):
            yield "modified", revision.group(1)
    for line in lines[1 if titled else 0 :]:
        if not line.strip():
            return
        match = _ATTRIBUTE.match(line.rstrip())
        if match and match.group(1).lower() in _KEPT and match.group(2):
            yield match.group(1), match.group(2)
