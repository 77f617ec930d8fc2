"""What stands around a hit in its document: so many chunks on either side, or its whole section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from c2vsearch.collection import Collection
from c2vsearch.rag.citation import Citation
from c2vsearch.rag.passages import citation, joined
from c2vsearch.rag.piece import Outline, Piece, outline_of, place_of
from c2vsearch.records import Chunk, Hit


@dataclass(frozen=True, slots=True)
class Surrounding:
    """The text around a hit, with the hit in it, and where it stands.

    ``text`` is ``document.text[place.start:place.end]``, but for what white space it was between chunks.
    """

    place: Citation
    text: str


def neighbourhoods(collection: Collection, hits: Sequence[Hit], *, neighbours: int) -> list[Surrounding]:
    """Each hit with the chunks beside it, as many on either side as there are, up to ``neighbours``."""

    def wanted(hit: Hit, chunks: Sequence[Chunk], at: int) -> tuple[int, int]:
        return max(0, at - neighbours), min(len(chunks), at + neighbours + 1)

    return _around(collection, hits, wanted)


def sections(collection: Collection, hits: Sequence[Hit]) -> list[Surrounding]:
    """Each hit with all that stands under its heading, subsections too.

    Where a hit has no heading it is the text up to the next one; of a document without headings it is the page, or all
    of it where there are no pages.
    """

    def wanted(hit: Hit, chunks: Sequence[Chunk], at: int) -> tuple[int, int]:
        first = last = at
        while first > 0 and _belongs(hit, chunks[first - 1]):
            first -= 1
        while last + 1 < len(chunks) and _belongs(hit, chunks[last + 1]):
            last += 1
        return first, last + 1

    return _around(collection, hits, wanted)


def _around(
    collection: Collection, hits: Sequence[Hit], wanted: Callable[[Hit, Sequence[Chunk], int], tuple[int, int]]
) -> list[Surrounding]:
    outline = outline_of(collection, {hit.source for hit in hits})
    read: dict[tuple[str, str], list[Chunk]] = {}
    return [_surrounding(hit, _chunks(collection, outline, hit, read), outline, wanted) for hit in hits]


def _surrounding(
    hit: Hit, chunks: Sequence[Chunk], outline: Outline, wanted: Callable[[Hit, Sequence[Chunk], int], tuple[int, int]]
) -> Surrounding:
    first, last = wanted(hit, chunks, place_of(outline, hit))
    group = [Piece(chunk, place, hit.rank) for place, chunk in enumerate(chunks[first:last], start=first)]
    return Surrounding(citation(hit.rank, group), joined(group))


def _chunks(
    collection: Collection, outline: Outline, hit: Hit, read: dict[tuple[str, str], list[Chunk]]
) -> list[Chunk]:
    """The chunks of a hit's document, read once."""
    document = hit.source, hit.member
    if document not in read:
        read[document] = collection.chunks([row for _, row in outline[document]])
    return read[document]


def _belongs(hit: Hit, chunk: Chunk) -> bool:
    depth = len(hit.heading_path)
    if depth:
        return chunk.heading_path[:depth] == hit.heading_path
    return not chunk.heading_path and chunk.page == hit.page
