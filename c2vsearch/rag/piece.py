"""Chunks that may be quoted: hits, and what stands beside them in their documents."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c2vsearch.collection import Collection, Row
from c2vsearch.records import Chunk, Hit

Outline = dict[tuple[str, str], list[tuple[int, Row]]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk, its place among those of its document (from 0), and the rank of the hit that it is or stands beside."""

    chunk: Chunk | Hit
    place: int
    rank: int

    @property
    def is_hit(self) -> bool:
        """Whether it was found, and not just beside what was."""
        return isinstance(self.chunk, Hit)

    @property
    def document(self) -> tuple[str, str]:
        """The file, and what it is in inside of that."""
        return self.chunk.source, self.chunk.member


def pieces(collection: Collection, hits: Sequence[Hit], *, neighbours: int) -> list[Piece]:
    """The hits, best first; then the chunks right beside them in the same order, then those at a distance of 2, ...

    Args:
        collection: Where the hits are from.
        hits: Best first.
        neighbours: Chunks on either side of each hit; 0 for the hits alone.
    """
    outline = outline_of(collection, {hit.source for hit in hits})
    found = [Piece(hit, place_of(outline, hit), hit.rank) for hit in hits]
    beside = _beside(found, outline, neighbours)
    chunks = collection.chunks([outline[document][place][1] for document, place in beside])
    return found + [Piece(chunk, place, rank) for ((_, place), rank), chunk in zip(beside.items(), chunks, strict=True)]


def _beside(hits: Sequence[Piece], outline: Outline, distance: int) -> dict[tuple[tuple[str, str], int], int]:
    """Places beside the hits, nearest first, each with the rank of the best hit at that distance."""
    taken = {(hit.document, hit.place) for hit in hits}
    beside: dict[tuple[tuple[str, str], int], int] = {}
    for step in range(1, distance + 1):
        for hit in hits:
            for place in (hit.place + step, hit.place - step):  # what follows is the likelier answer
                key = hit.document, place
                if key not in taken and 0 <= place < len(outline[hit.document]):
                    beside.setdefault(key, hit.rank)
    return beside


def outline_of(collection: Collection, sources: Iterable[str]) -> Outline:
    """The live chunks of some files: for each document where they start, and their rows, in order."""
    outline: Outline = defaultdict(list)
    names = set(sources)
    for number, entry in enumerate(collection.manifest.shards):
        gone = collection.deletes.get(entry.name, set())
        for place in collection.shard(number).places(names):
            if place.row not in gone:
                outline[place.source, place.member].append((place.start, Row(number, place.row)))
    for rows in outline.values():
        rows.sort()
    return outline


def place_of(outline: Outline, hit: Hit) -> int:
    """The place of a hit among the chunks of its document."""
    return bisect_left(outline[hit.source, hit.member], (hit.start,))
