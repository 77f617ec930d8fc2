"""Phrases: words next to each other. The keyword index has no positions, so they are looked for in the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from c2vsearch.collection import Collection, Row, RowScore
from c2vsearch.index.analysis import language_of_chunk, terms_of, unaccented
from c2vsearch.records import Chunk

if TYPE_CHECKING:
    from c2vsearch.collection.compaction import Live

READ_AT_ONCE = 512


def has_phrase(chunk: Chunk, phrase: str) -> bool:
    """Whether a chunk has a phrase: in its text, its title, or one of its headings.

    Words are compared as the keyword index compares them, cut to their stems by the rules of the chunk's language.

    >>> chunk = Chunk("", "", "", 0, 0, "The blue Ferries' times.", 1, 1, title="Harbour")
    >>> has_phrase(chunk, "ferry time"), has_phrase(chunk, "blue times"), has_phrase(chunk, "harbour")
    (True, False, True)
    """
    language = language_of_chunk(chunk)
    wanted = terms_of(phrase, language=language)
    parts = (chunk.text, chunk.title, *chunk.heading_path)
    return any(_runs(terms_of(spelled, language=language), wanted) for part in parts for spelled in _spellings(part))


def without(collection: Collection, excluded: Sequence[str], among: Live | None) -> Live | None:
    """The rows that may be given, less those that have one of the excluded words or phrases."""
    if not excluded:
        return among
    left = collection.live() if among is None else {name: mask.copy() for name, mask in among.items()}
    names = [entry.name for entry in collection.manifest.shards]
    for phrase in excluded:
        for row in _having(collection, phrase):
            if names[row.shard] in left:
                left[names[row.shard]][row.row] = False
    return left


def keyword_hits(
    collection: Collection, text: str, phrases: Sequence[str], *, k: int, among: Live | None
) -> list[RowScore]:
    """The k rows best matching the words of a query, of those that have all of its phrases.

    As many as there are, up to k: hits are asked for in growing numbers and read until so many have the phrases.
    """
    if not phrases or k < 1:
        return collection.search_text(text, k=k, among=among)
    among = _having_words(collection, phrases, among)
    has: dict[Row, bool] = {}
    depth = k
    while True:
        found = collection.search_text(text, k=depth, among=among)
        kept = []
        for start in range(0, len(found), READ_AT_ONCE):
            part = found[start : start + READ_AT_ONCE]
            _look(collection, [hit.row for hit in part if hit.row not in has], phrases, has)
            kept += [hit for hit in part if has[hit.row]]
            if len(kept) >= k:
                return kept[:k]
        if len(found) < depth:
            return kept
        depth *= 4


def _look(collection: Collection, rows: Sequence[Row], phrases: Sequence[str], has: dict[Row, bool]) -> None:
    for row, chunk in zip(rows, collection.chunks(rows), strict=True):
        has[row] = all(has_phrase(chunk, phrase) for phrase in phrases)


def _having(collection: Collection, phrase: str) -> Iterator[Row]:
    """The live rows that have a phrase. What is a single word is known to the keyword index."""
    rows = iter(collection.rows_with(phrase))
    if len(terms_of(phrase)) == 1:
        yield from rows
        return
    while part := list(islice(rows, READ_AT_ONCE)):
        chunks = collection.chunks(part)
        yield from (row for row, chunk in zip(part, chunks, strict=True) if has_phrase(chunk, phrase))


def _having_words(collection: Collection, phrases: Sequence[str], among: Live | None) -> Live:
    """The rows that may be given and have all the words of the phrases, wherever they stand."""
    allowed = collection.live() if among is None else among
    left = {name: mask & False for name, mask in allowed.items()}
    names = [entry.name for entry in collection.manifest.shards]
    for row in collection.rows_with(" ".join(phrases)):
        name = names[row.shard]
        if name in left:
            left[name][row.row] = allowed[name][row.row]
    return left


def _spellings(text: str) -> tuple[str, ...]:
    """A text as it is, and as it is typed without accents."""
    return (text,) if text.isascii() else (text, unaccented(text))


def _runs(terms: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether some terms stand in others, next to each other and in order."""
    size = len(wanted)
    return any(terms[start : start + size] == wanted for start in range(len(terms) - size + 1))
