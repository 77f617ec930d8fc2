"""Pairs from a user's own index, and an honest measure of what training on them is worth.

Four kinds: a heading and its section; a title and the document's opening; the first sentence of a passage and the
rest; a sentence taken out of a passage and the passage without it (the inverse cloze task, Lee et al., ACL 2019,
arXiv 1906.00300, section 4). A positive never holds its own query: lines that are headings are taken out.

Documents are either trained on or held out, never both; a training pair that shares a text or 16 words in a row with
a held-out document (a copy of it, a common footer) is dropped.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.collection import Collection
from c2vsearch.encoder import Encoder
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.records import Chunk
from c2vsearch.retriever import Retriever
from c2vsearch.training.corpus import ENCODED_AT_ONCE, normalised
from c2vsearch.training.leaks import EvaluationTexts
from c2vsearch.training.lines import plain
from c2vsearch.training.nearest import ROWS_AT_ONCE
from c2vsearch.training.pairs import Pair

Kind = Literal["heading", "title", "first", "cloze"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DISTRACTORS = 20_000
PASSAGE_CHARS = 60
SENTENCE_CHARS = (25, 300)
LETTERS = 0.7  # of the characters of a sentence: less is code
RESAMPLES = 2000

_RULE = re.compile(r"[\W_]*")  # an underlined heading's line, or nothing
_ENDED = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\uff61][\W_]*\Z")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Questions nobody trained on. Each has one answer, the passage it was taken from without itself.

    Args:
        queries: Texts by id.
        qrels: For each query its one passage, by the id of the chunk.
        positives: For each query the text of that passage.
        kinds: For each query how it was made.
        sources: For each query the document it is from.
        chunks: The other passages, by chunk: those a search has to tell apart from the right one.
        without: For each query the chunks that hold it or its answer and therefore do not compete.
    """

    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    positives: dict[str, str]
    kinds: dict[str, Kind]
    sources: dict[str, str]
    chunks: dict[str, str]
    without: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What an index gives: pairs to train on, questions to measure with, and training pairs ``dropped`` as copies.

    A pair's ``group`` is its section (document, ``#``, headings), whose passages overlap, and its ``source`` the kind.
    """

    train: list[Pair]
    held_out: HeldOut
    dropped: int


@dataclass(frozen=True, slots=True)
class PairRanks:
    """The rank of each held-out query's passage among all the others, 1 being the best, in order of the queries."""

    ranks: tuple[int, ...]
    sources: tuple[str, ...]

    def ndcg(self, k: int = 10) -> float:
        """Mean nDCG@k: with one relevant text, ``1 / log2(rank + 1)`` up to rank k."""
        return float(_ndcg(self.ranks, k).mean())

    def recall(self, k: int) -> float:
        """Share of the queries whose passage is among the best k."""
        return sum(rank <= k for rank in self.ranks) / len(self.ranks)


@dataclass(frozen=True, slots=True)
class Gain:
    """nDCG@10 after less before, with the interval that holds 95 % of the bootstrap means over documents."""

    mean: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether chance does not explain it: the whole interval lies above 0."""
        return self.low > 0


class _Found(NamedTuple):
    """A pair with where it is from: ``start`` and ``end`` are the stretch of the document it covers."""

    kind: Kind
    query: str
    positive: str
    chunk: Chunk


def adaptation_pairs(
    index: Collection | Retriever | Path | str,
    *,
    seed: int,
    held_out: float = 0.1,
    include: Sequence[Kind] = KINDS,
    distractors: int = DISTRACTORS,
) -> Adaptation:
    """Make pairs from the live chunks of an index and hold out those of some documents.

    Args:
        index: An index, open or by its place.
        seed: Which documents are held out, and which sentence is taken out of a passage.
        held_out: The share of the documents, at least one.
        include: Kinds of pairs.
        distractors: Passages a held-out query is compared with, at most; drawn if there are more.

    Raises:
        InvalidConfig: A share or a kind that cannot be.
        InvalidDataset: Fewer than two documents give pairs, or none are left to train on.
        IndexNotFound: There is no index there.
    """
    if not 0 < held_out < 1:
        raise InvalidConfig(f"held_out is {held_out}; expected a share above 0 and below 1")
    if unknown := [kind for kind in include if kind not in KINDS]:
        raise InvalidConfig(f"no kind of pairs {unknown[0]!r}; expected some of {', '.join(KINDS)}")
    chunks = _chunks(index)
    found = [pair for pair in _unique(_made(chunks, seed)) if pair.kind in include]
    documents = sorted({pair.chunk.source for pair in found}, key=lambda name: (_drawn(seed, name), name))
    if len(documents) < 2:
        raise InvalidDataset(
            f"{len(documents)} documents of the index give pairs; expected at least 2, one of them to be held out"
        )
    out = set(documents[: min(max(1, round(held_out * len(documents))), len(documents) - 1)])
    kept = [pair for pair in found if pair.chunk.source in out]
    copies = EvaluationTexts(
        queries=[pair.query for pair in kept], documents=[chunk.text for chunk in chunks if chunk.source in out]
    )
    rest = [pair for pair in found if pair.chunk.source not in out]
    train = [pair for pair in rest if copies.leak((pair.query, pair.positive)) is None]
    if not train:
        raise InvalidDataset("every document of the index shares text with one held out; expected some that do not")
    pairs = [Pair(pair.query, pair.positive, group=_section(pair.chunk), source=pair.kind) for pair in train]
    return Adaptation(pairs, _held_out(kept, chunks, seed, distractors), len(rest) - len(train))


def evaluate_pairs(encoder: Encoder, held_out: HeldOut, *, instruction: str | None = None) -> PairRanks:
    """Rank each held-out passage among all the others by exact search. Equal scores count against it.

    Raises:
        InvalidDataset: There is no question.
    """
    if not held_out.queries:
        raise InvalidDataset("no question is held out; hold out a larger share of the documents")
    queries = encoder.encode_queries([plain(text) for text in held_out.queries.values()], instruction=instruction)
    answers = encoder.encode_documents([plain(held_out.positives[name]) for name in held_out.queries])
    own = (queries * answers).sum(axis=1)  # (Q,)
    above = np.zeros(len(queries), dtype=np.int64)
    names = list(held_out.chunks)
    for start in range(0, len(names), ROWS_AT_ONCE):
        block = names[start : start + ROWS_AT_ONCE]
        scores = queries @ _encoded(encoder, [held_out.chunks[name] for name in block]).T  # (Q, block)
        places = {name: place for place, name in enumerate(block)}
        for query, name in enumerate(held_out.queries):
            scores[query, [places[chunk] for chunk in held_out.without[name] if chunk in places]] = -np.inf
        above += (scores >= own[:, None]).sum(axis=1)
    return PairRanks(tuple((above + 1).tolist()), tuple(held_out.sources[name] for name in held_out.queries))


def gain(before: PairRanks, after: PairRanks, *, k: int = 10, seed: int = 0) -> Gain:
    """How much better the second is, on the same questions.

    Documents, not questions, are drawn for the interval: the questions of one document are not independent.

    >>> same = PairRanks((1, 2, 40), ("a", "a", "b"))
    >>> gain(same, same)
    Gain(mean=0.0, low=0.0, high=0.0)
    """
    differences = _ndcg(after.ranks, k) - _ndcg(before.ranks, k)
    documents = sorted(set(before.sources))
    place = {name: number for number, name in enumerate(documents)}
    owners = np.array([place[name] for name in before.sources])
    sums, counts = np.bincount(owners, weights=differences), np.bincount(owners)
    drawn = np.random.default_rng(seed).integers(0, len(documents), (RESAMPLES, len(documents)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Gain(float(differences.mean()), float(low), float(high))


def body(chunk: Chunk) -> str:
    r"""A chunk's text without the lines that are its title or one of its headings.

    >>> body(Chunk("1", "1", "a", 0, 9, "## Ferry *times*\n\nAt nine.", 1, 3, heading_path=("Ferry times",)))
    'At nine.'
    """
    heads = {normalised(head) for head in (chunk.title, *chunk.heading_path)}
    lines = chunk.text.split("\n")
    gone = [
        normalised(line) in heads
        or (number > 0 and bool(_RULE.fullmatch(line)) and normalised(lines[number - 1]) in heads)
        for number, line in enumerate(lines)
    ]
    return "\n".join(line for line, drop in zip(lines, gone, strict=True) if not drop).strip()


def _chunks(index: Collection | Retriever | Path | str) -> list[Chunk]:
    if isinstance(index, Retriever):
        return _chunks(index.collection)
    if not isinstance(index, Collection):
        with Collection.open(index) as opened:
            return _chunks(opened)
    return sorted(index.iter_chunks(), key=lambda chunk: (chunk.source, chunk.start, chunk.end))


def _made(chunks: Sequence[Chunk], seed: int) -> Iterator[_Found]:
    names = _heading_queries(chunks)
    previous: Chunk | None = None
    for chunk in chunks:
        text = body(chunk)
        new = previous is None or previous.source != chunk.source
        if len(text) >= PASSAGE_CHARS:
            if new and chunk.title.strip():
                yield _Found("title", chunk.title.strip(), text, chunk)
            section = (chunk.source, chunk.heading_path)
            if section in names and (new or previous is None or previous.heading_path != chunk.heading_path):
                yield _Found("heading", names[section], text, chunk)
            yield from _sentence_pairs(chunk, text, seed)
        previous = chunk


def _heading_queries(chunks: Iterable[Chunk]) -> dict[tuple[str, tuple[str, ...]], str]:
    """For each section its heading, behind as many of those above it as tell it from other sections of the index."""
    outlines = {
        (chunk.source, chunk.heading_path): tuple(
            dict.fromkeys(head for head in (chunk.title, *chunk.heading_path) if head)
        )
        for chunk in chunks
        if chunk.heading_path
    }
    deepest = max(map(len, outlines.values()), default=0)
    names: dict[tuple[str, tuple[str, ...]], str] = {}
    for parts in range(1, deepest + 1):
        tried = {section: ": ".join(outline[-parts:]) for section, outline in outlines.items() if section not in names}
        times = Counter(normalised(": ".join(outline[-parts:])) for outline in outlines.values())
        names.update({section: text for section, text in tried.items() if times[normalised(text)] == 1})
    return names


def _sentence_pairs(chunk: Chunk, text: str, seed: int) -> Iterator[_Found]:
    spans = sentence_spans(text)
    if len(spans) < 3:
        return
    first = text[slice(*spans[0])]
    if _is_sentence(first):
        yield _Found("first", _on_one_line(first), text[spans[1][0] :], chunk)
    later = [span for span in spans[1:] if _is_sentence(text[slice(*span)])]
    if later:
        start, end = random.Random(f"{seed}:{chunk.id}").choice(later)
        passage = f"{text[:start].rstrip()} {text[end:].lstrip()}".strip()
        yield _Found("cloze", _on_one_line(text[start:end]), passage, chunk)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _is_sentence(text: str) -> bool:
    """Neither too short nor too long, whole, and neither code nor a row of a table."""
    least, most = SENTENCE_CHARS
    letters = sum(character.isalpha() or character.isspace() for character in text)
    sound = least <= len(text) <= most and letters >= LETTERS * len(text)
    return sound and "|" not in text and _ENDED.search(text) is not None


def _section(chunk: Chunk) -> str:
    return f"{chunk.source}#{' > '.join(chunk.heading_path)}"


def _unique(pairs: Iterable[_Found]) -> Iterator[_Found]:
    """Each query once and each positive once a kind; none whose positive is too short or still holds its query."""
    queries: set[str] = set()
    positives: set[tuple[Kind, str]] = set()
    for pair in pairs:
        query, positive = normalised(pair.query), normalised(pair.positive)
        if query in queries or (pair.kind, positive) in positives or len(pair.positive) < PASSAGE_CHARS:
            continue
        if pair.kind in ("first", "cloze") and f" {query} " in f" {positive} ":
            continue
        queries.add(query)
        positives.add((pair.kind, positive))
        yield pair


def _held_out(pairs: Sequence[_Found], chunks: Sequence[Chunk], seed: int, distractors: int) -> HeldOut:
    bodies = {chunk.id: text for chunk in chunks if (text := body(chunk))}
    equal: dict[str, set[str]] = defaultdict(set)
    for name, text in bodies.items():
        equal[normalised(text)].add(name)
    by_source: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_source[chunk.source].append(chunk)
    without = {}
    for number, pair in enumerate(pairs):
        beside = {chunk.id for chunk in by_source[pair.chunk.source] if _holds(chunk, pair)}
        without[str(number)] = frozenset(beside | equal[normalised(body(pair.chunk))])
    drawn = sorted(bodies, key=lambda name: _drawn(seed, name))[:distractors]
    names = [str(number) for number in range(len(pairs))]
    return HeldOut(
        queries=dict(zip(names, (pair.query for pair in pairs), strict=True)),
        qrels=dict(zip(names, ({pair.chunk.id: 1} for pair in pairs), strict=True)),
        positives=dict(zip(names, (pair.positive for pair in pairs), strict=True)),
        kinds=dict(zip(names, (pair.kind for pair in pairs), strict=True)),
        sources=dict(zip(names, (pair.chunk.source for pair in pairs), strict=True)),
        chunks={name: bodies[name] for name in drawn},
        without=without,
    )


def _holds(chunk: Chunk, pair: _Found) -> bool:
    """Whether a chunk of the same document overlaps the pair's own, or answers the same heading."""
    overlaps = chunk.start < pair.chunk.end and pair.chunk.start < chunk.end
    return overlaps or (pair.kind == "heading" and chunk.heading_path == pair.chunk.heading_path)


def _encoded(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Documents to rows, those of like length together. Shape: (N, D)."""
    rows = np.empty((len(texts), encoder.fingerprint.dim), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(order), ENCODED_AT_ONCE):
        places = order[start : start + ENCODED_AT_ONCE]
        rows[places] = encoder.encode_documents([plain(texts[place]) for place in places])
    return rows


def _ndcg(ranks: Sequence[int], k: int) -> NDArray[np.float64]:
    values = np.array(ranks, dtype=np.float64)
    return np.where(values <= k, 1 / np.log2(values + 1), 0.0)


def _drawn(seed: int, name: str) -> bytes:
    """A place in a random order that depends on nothing but the seed and the name."""
    return hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
