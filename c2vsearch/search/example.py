"""What hits are to be like: chunks of the index, or a text that is none of it. Made a vector and some words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import Collection, Row
from c2vsearch.collection.compaction import Live
from c2vsearch.errors import InvalidQuery
from c2vsearch.index.analysis import is_lookup, prepared, terms_of
from c2vsearch.records import Chunk

WORDS = 25  # as many as Lucene's MoreLikeThis takes; measured in docs/benchmarks.md
LOOKED_AT = 500  # words of a long example, the most frequent ones
EXAMPLE_WEIGHT = 0.75  # of an example beside a question: Rocchio's usual beta (Manning et al. 2008, section 9.1)

_LINES = re.compile(r"(.+):(\d+)(?:-(\d+))?$", re.DOTALL)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Texts; where they are chunks of an index, also their unit vectors and their rows. Shape: vectors (N, D)."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32] | None = None
    rows: tuple[Row, ...] = ()


def direction(vectors: NDArray[np.float32], question: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """The mean of an example's vectors; or a question moved towards it (Rocchio 1971). Unit vectors.

    Shape: (N, D) and (D,) to (D,).

    >>> direction(np.array([[0.6, 0.8], [0.6, -0.8]], dtype=np.float32)).tolist()
    [1.0, 0.0]
    """
    mean = _unit(vectors.sum(axis=0, dtype=np.float64))
    return mean if question is None else _unit(question.astype(np.float64) + EXAMPLE_WEIGHT * mean)


def find_example(collection: Collection, name: str) -> Example:
    """What a name stands for in an index: a file, what is in it, lines of it (``a.md:12``, ``a.md:12-30``), a chunk id.

    Raises:
        InvalidQuery: The index has nothing of that name.
    """
    rows = _rows(collection, name)
    if not rows:
        raise InvalidQuery(
            f"the index has nothing to be like that is called {name!r}; expected a file of it (c2vsearch ls), "
            "file:line, or the id of a chunk"
        )
    chunks = collection.chunks(rows)
    return Example(tuple(chunk.text for chunk in chunks), collection.vectors(rows), tuple(rows))


def leaving_out(collection: Collection, rows: Iterable[Row], among: Live | None) -> Live | None:
    """The rows that may be given, less some."""
    rows = list(rows)
    if not rows:
        return among
    left = {name: mask.copy() for name, mask in (collection.live() if among is None else among).items()}
    names = [entry.name for entry in collection.manifest.shards]
    for row in rows:
        if names[row.shard] in left:
            left[names[row.shard]][row.row] = False
    return left


def telling_words(collection: Collection, example: Example, *, count: int = WORDS) -> list[str]:
    """The words that tell an example from the rest of the index, most telling first.

    They are those that it has often and that few chunks have: its count times its rarity, as the keyword index knows
    it. Stop words, and words that no other chunk has, say nothing.
    """
    found: list[str] = []
    for word in _by_weight(example.texts, collection.text_ceiling):
        # One of so many hits is not of the example, if the word stands anywhere else.
        others = collection.search_text(word, k=len(example.rows) + 1)
        if any(hit.row not in example.rows for hit in others):
            found.append(word)
        if len(found) == count:
            break
    return found


def _by_weight(texts: Sequence[str], rarity: Callable[[str], float]) -> list[str]:
    counts: Counter[tuple[str, ...]] = Counter()
    spelled: dict[tuple[str, ...], str] = {}
    for text in texts:
        for word in _WORD.findall(prepared(text)):
            term = tuple(terms_of(word))
            counts[term] += 1
            spelled.setdefault(term, word)
    frequent = [(term, times) for term, times in counts.most_common(LOOKED_AT) if term and is_lookup(spelled[term])]
    weights = {spelled[term]: times * rarity(spelled[term]) for term, times in frequent}
    return sorted(weights, key=lambda word: (-weights[word], word))


def _rows(collection: Collection, name: str) -> list[Row]:
    source, _, member = name.partition("!/")
    if rows := _of_file(collection, source, member):
        return [row for row, _ in rows]
    if match := _LINES.match(name):
        source, _, member = match[1].partition("!/")
        first, last = int(match[2]), int(match[3] or match[2])
        found = _of_file(collection, source, member)
        return [row for row, chunk in found if chunk.start_line <= last and chunk.end_line >= first]
    return _of_id(collection, name)


def _of_file(collection: Collection, source: str, member: str) -> list[tuple[Row, Chunk]]:
    """The live rows of a file, or of one thing in it, in the order of the text."""
    rows = []
    for number, entry in enumerate(collection.manifest.shards):
        gone = collection.deletes.get(entry.name, set())
        places = collection.shard(number).places([source])
        rows += [Row(number, place.row) for place in places
                 if place.row not in gone and member in ("", place.member)]  # fmt: skip
    found = zip(rows, collection.chunks(rows), strict=True)
    return sorted(found, key=lambda item: (item[1].member, item[1].start))


def _of_id(collection: Collection, name: str) -> list[Row]:
    for number, entry in enumerate(collection.manifest.shards):
        gone = collection.deletes.get(entry.name, set())
        for row, known in enumerate(collection.shard(number).column("chunk_id")):
            if known == name and row not in gone:
                return [Row(number, row)]
    return []


def _unit(total: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), dtype=np.float32)
