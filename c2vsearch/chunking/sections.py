"""The stretches of a document a chunk stays within: what stands under one heading, or on one slide."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from c2vsearch.chunking.tokens import TokenMap
from c2vsearch.records import Document, Heading

# A section of fewer tokens joins the next one: always when it is hardly more than its heading, else if both fit.
SMALL_SECTION_TOKENS = 48
HEADING_TOKENS = 16
# One small section in so many begins a chunk whatever is before it, so that an edit does not shift all that follow.
JOINED_SECTIONS = 12
# Where a page is a thing of its own; in other formats it is where the paper ends.
KINDS_OF_SLIDES = frozenset({"pptx", "odp", "workbook"})
_VISIBLE = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document; ``path`` has the headings above it, outermost first."""

    start: int
    end: int
    path: tuple[str, ...]


def sections(document: Document, tokens: TokenMap, *, room: int) -> Iterator[Section]:
    """The stretches between headings; small ones joined with the next as long as both fit in ``room`` tokens."""
    last: Section | None = None
    for section in _raw(document):
        joined = _joined(last, section, document, tokens, room) if last else None
        if last and not joined:
            yield last
        last = joined or section
    if last:
        yield last


def _raw(document: Document) -> Iterator[Section]:
    text, start = document.text, 0
    path: tuple[str, ...] = ()
    open_headings: list[Heading] = []
    for at, heading in _borders(document):
        if _VISIBLE.search(text, start, at):
            yield Section(start, at, path)
            start = at
        open_headings = [item for item in open_headings if heading and item.level < heading.level]
        open_headings += [heading] if heading else []
        path = tuple(item.title for item in open_headings)
    if _VISIBLE.search(text, start):
        yield Section(start, len(text), path)


def _borders(document: Document) -> list[tuple[int, Heading | None]]:
    """Where sections begin: headings, and slides, which may have none."""
    slides = document.pages if document.kind in KINDS_OF_SLIDES else ()
    found: list[tuple[int, Heading | None]] = [(start, None) for start in slides]
    found += [(heading.start, heading) for heading in document.headings]
    return sorted(found, key=lambda border: (border[0], border[1] is not None))


def _joined(last: Section, section: Section, document: Document, tokens: TokenMap, room: int) -> Section | None:
    """Both as one, if the first is small and they belong together."""
    if not _related(last, section) or not tokens.fits(last.start, last.end, SMALL_SECTION_TOKENS - 1):
        return None
    both_fit = tokens.fits(last.start, section.end, room)
    if document.kind in KINDS_OF_SLIDES:
        joined = both_fit and tokens.fits(section.start, section.end, SMALL_SECTION_TOKENS - 1)
    else:
        heading_alone = tokens.fits(last.start, last.end, HEADING_TOKENS - 1)
        joined = heading_alone or (both_fit and not _stands_alone(document.text, section))
    if not joined:
        return None
    longer = not tokens.fits(section.start, section.end, tokens.count(last.start, last.end))
    return Section(last.start, section.end, section.path if longer else last.path)


def _related(first: Section, second: Section) -> bool:
    """Siblings, or a heading and its first sub-heading."""
    return first.path[:-1] == second.path[:-1] or second.path[: len(first.path)] == first.path


def _stands_alone(text: str, section: Section) -> bool:
    told = text[section.start : min(section.end, section.start + 256)].strip()
    return zlib.crc32(told.encode("utf-8", "surrogatepass")) % JOINED_SECTIONS == 0
