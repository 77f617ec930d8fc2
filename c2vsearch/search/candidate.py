"""Candidates for hits: rows in the order of their scores, with their chunks, repetitions told apart from news."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from c2vsearch.collection import Collection, Row
from c2vsearch.records import Chunk

# So many words are not the same by chance, whatever heading they stand under.
TELLING_WORDS = 20
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Candidate:
    """A row that may become a hit, with its score and the chunks elsewhere that say the same in the same words."""

    row: Row
    chunk: Chunk
    score: float
    repeats: list[Chunk] = field(default_factory=list)


def ranked(scores: Mapping[Row, float]) -> list[Row]:
    """Best first; equal scores in the order of the index, so that a search gives the same answer twice.

    >>> ranked({Row(0, 2): 0.5, Row(0, 1): 0.5, Row(1, 0): 0.9})
    [Row(shard=1, row=0), Row(shard=0, row=1), Row(shard=0, row=2)]
    """
    return sorted(scores, key=lambda row: (-scores[row], row))


def in_order(
    collection: Collection, scores: Mapping[Row, float], *, at_once: int, then: int = 0, at_most: int = 0
) -> Iterator[Candidate]:
    """Candidates, best first; equal scores in the order of their places. Chunks are read as they are needed.

    So of two copies of a file the same one is preferred throughout: that of the shorter name.

    Args:
        collection: Where the chunks are.
        scores: The rows and their scores.
        at_once: Chunks to read first.
        then: Chunks to read at a time after them; as many as at first by default.
        at_most: Read twice as many each time, up to so many: those of one shard are read together.
    """
    order = ranked(scores)
    start = 0
    while start < len(order):
        end = min(start + at_once, len(order))
        while end < len(order) and scores[order[end]] == scores[order[end - 1]]:
            end += 1  # rows of one score are put in order together
        part = zip(order[start:end], collection.chunks(order[start:end]), strict=True)
        for row, chunk in sorted(part, key=lambda item: (-scores[item[0]], *_place(item[1]))):
            yield Candidate(row, chunk, scores[row])
        start, at_once = end, max(then or at_once, min(2 * at_once, at_most))


def collapsed(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Candidates without repetitions: what says the same as one before it, in the same words, is kept with that one.

    The text decides when it is long, else the text with its headings. Each candidate is given when the next one is
    known, so that repetitions of the same score are with it.
    """
    seen: dict[str, Candidate] = {}
    held: Candidate | None = None
    for candidate in candidates:
        first = seen.setdefault(_words(candidate.chunk), candidate)
        if first is not candidate:
            first.repeats.append(candidate.chunk)
            continue
        if held is not None:
            yield held
        held = candidate
    if held is not None:
        yield held


def _place(chunk: Chunk) -> tuple[int, str, str, int, str]:
    return len(chunk.source), chunk.source, chunk.member, chunk.start, chunk.id


def _words(chunk: Chunk) -> str:
    words = _WORD.findall(chunk.text.casefold())
    return " ".join(words if len(words) >= TELLING_WORDS else _WORD.findall(chunk.embedded_text.casefold()))
