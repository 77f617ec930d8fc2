"""One query through the stages: dense and lexical legs, fusion, rerank, choice, hits.

Every stage only orders what the one before gave it, and the last one leaves out. Score and rank of each stay with the
hit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import Collection, Row, RowScore
from c2vsearch.config import SearchConfig
from c2vsearch.index.analysis import is_lookup, query_terms
from c2vsearch.model.profile import SearchProfile
from c2vsearch.records import Hit, Location, StageScore
from c2vsearch.search.candidate import Candidate, collapsed, in_order, ranked
from c2vsearch.search.diversity import chosen
from c2vsearch.search.fusion import average, combined, weighted
from c2vsearch.search.highlight import Highlighter, Span, best_sentences
from c2vsearch.search.phrases import keyword_hits, without
from c2vsearch.search.query import Query
from c2vsearch.search.relevance import relevances, relevant
from c2vsearch.search.rerank import Reranker
from c2vsearch.search.second_look import second_look
from c2vsearch.search.token_match import CodedMatch

if TYPE_CHECKING:
    from c2vsearch.collection.compaction import Live

Scores = dict[Row, float]
Stages = dict[str, Scores]
PLAIN = SearchProfile()
STREAMED, STREAMED_AT_MOST = 64, 4096  # chunks read at a time where hits are given one by one
AHEAD = 6  # chunks read at a time beyond the first k and one: repetitions take no place of a hit


def search(  # noqa: PLR0913  (every stage has its own)
    collection: Collection,
    query: Query,
    *,
    vector: NDArray[np.float32] | None,
    config: SearchConfig,
    reranker: Reranker | None = None,
    highlighter: Highlighter | None = best_sentences,
    among: Live | None = None,
    profile: SearchProfile = PLAIN,
    dense: Sequence[RowScore] | None = None,
) -> list[Hit]:
    """The ``config.k`` best chunks for a query, or those of as many files.

    Args:
        collection: The version to search.
        query: The words, used by the lexical leg, the reranker and the highlight; phrases, which hits of the lexical
            leg have; what hits of neither leg have.
        vector: The query's unit vector; None in mode "bm25". Shape: (D,).
        config: Mode, sizes and weights.
        reranker: Looks again at the first ``config.rerank_candidates``; None for no second look.
        highlighter: Finds the best sentence of each hit, which is most of the time a search of many hits takes; None
            for none.
        among: Which rows of each shard may be given, by either leg; None for all.
        profile: What searching with the model was found to need.
        dense: What `nearest` gave for this query, which is not looked for again unless the query excludes something.

    Raises:
        InvalidConfig: ``config.min_score`` is asked of scores whose relevance is not known.
    """
    among = without(collection, query.excluded, among)
    known = None if query.excluded else dense
    stages = _stages(collection, query, vector, config, among=among, profile=profile, dense=known)
    return _answer(
        collection, query.text, stages, config, profile=profile, reranker=reranker, highlighter=highlighter
    )  # fmt: skip


def nearest(
    collection: Collection, vectors: NDArray[np.float32], *, config: SearchConfig, among: Live | None = None,
    profile: SearchProfile = PLAIN,
) -> list[list[RowScore]]:  # fmt: skip
    """The dense leg of many queries, looked for together: what `search` would find for each. Shape: vectors (Q, D)."""
    if config.mode == "hybrid":
        vectors = np.stack([profile.beside_keywords(vector) for vector in vectors])
    return collection.search_vectors_batch(vectors, k=_depth(collection, config), among=among)


def search_any(
    collection: Collection,
    queries: Sequence[Query],
    *,
    vectors: NDArray[np.float32] | None,
    config: SearchConfig,
    reranker: Reranker | None = None,
    highlighter: Highlighter | None = best_sentences,
    among: Live | None = None,
    profile: SearchProfile = PLAIN,
) -> list[Hit]:
    """`search` for several phrasings of one question, by the mean of their scores.

    The first is the one that is reranked and highlighted by. What any of them excludes is in no hit.

    Args:
        collection: The version to search.
        queries: At least one.
        vectors: A unit vector for each; None in mode "bm25". Shape: (Q, D).
        config: As in `search`.
        reranker: As in `search`.
        highlighter: As in `search`.
        among: As in `search`.
        profile: As in `search`.
    """
    among = without(collection, [phrase for query in queries for phrase in query.excluded], among)
    stages: Stages = {}
    for number, query in enumerate(queries):
        vector = None if vectors is None else vectors[number]
        found = _stages(collection, query, vector, config, among=among, profile=profile)
        stages[f"phrasing {number + 1}"] = _last(found)
    stages["phrasings"] = average(list(stages.values()))
    return _answer(
        collection, queries[0].text, stages, config, profile=profile, reranker=reranker, highlighter=highlighter
    )  # fmt: skip


def iter_search(
    collection: Collection,
    query: Query,
    *,
    vector: NDArray[np.float32] | None,
    config: SearchConfig,
    reranker: Reranker | None = None,
    among: Live | None = None,
    profile: SearchProfile = PLAIN,
) -> Iterator[Hit]:
    """`search` that gives hits as their chunks are read: of the texts so many are in memory as are read at a time.

    Scores of all candidates are. Every chunk is a hit of its own, and no sentence of it is looked for.
    """
    among = without(collection, query.excluded, among)
    stages = _stages(collection, query, vector, config, among=among, profile=profile)
    relevance = relevances(_last(stages), config, profile)
    scores = relevant(_last(stages), relevance, config)
    scores = _looked_at_again(collection, query.text, stages, scores, reranker, config)
    told = _told(stages, relevance)
    found = islice(in_order(collection, scores, at_once=STREAMED, at_most=STREAMED_AT_MOST), config.k)
    return (told(rank, each, None) for rank, each in enumerate(found, start=1))


def _stages(
    collection: Collection, query: Query, vector: NDArray[np.float32] | None, config: SearchConfig, *,
    among: Live | None, profile: SearchProfile, dense: Sequence[RowScore] | None = None,
) -> Stages:  # fmt: skip
    """The legs of a query, fused where there are two."""
    depth = _depth(collection, config)
    stages: Stages = {}
    if vector is not None and config.mode == "hybrid":
        vector = profile.beside_keywords(vector)
    if config.mode != "bm25" and vector is not None:
        stages["dense"] = dict(collection.search_vectors(vector, k=depth, among=among) if dense is None else dense)
    if config.mode != "dense":
        stages["bm25"] = dict(keyword_hits(collection, query.text, query.phrases, k=depth, among=among))
    if config.mode == "hybrid" and vector is not None:
        stages["fused"] = _fused(collection, query.text, vector, stages, config)
    return stages


def _depth(collection: Collection, config: SearchConfig) -> int:
    """Rows of each leg; no more than there are, for the keyword index sets room aside for as many as are asked for."""
    return min(max(config.candidates, config.k), sum(entry.rows for entry in collection.manifest.shards))


def _last(stages: Stages) -> Scores:
    return stages[next(reversed(stages))]


def _answer(
    collection: Collection, text: str, stages: Stages, config: SearchConfig, *, profile: SearchProfile,
    reranker: Reranker | None, highlighter: Highlighter | None,
) -> list[Hit]:  # fmt: skip
    """Candidates to hits: held to the relevance asked for, looked at again, chosen, their best sentences found."""
    relevance = relevances(_last(stages), config, profile)
    scores = relevant(_last(stages), relevance, config)
    scores = _looked_at_again(collection, text, stages, scores, reranker, config)
    candidates = in_order(collection, scores, at_once=config.k + 1, then=AHEAD)
    found = chosen(collection, collapsed(candidates) if config.collapse else candidates, config)
    return _hits(found, _sentences(collection, found, text, highlighter), stages, relevance)


def _sentences(
    collection: Collection, found: Sequence[Candidate], query: str, highlighter: Highlighter | None
) -> Sequence[Span | None]:
    """The best sentence of each, by its stored codes where the highlighter reads them."""
    if highlighter is None:
        return [None] * len(found)
    if isinstance(highlighter, CodedMatch):
        codes = collection.token_codes([candidate.row for candidate in found], codec=highlighter.codec)
        return highlighter.by_codes([candidate.chunk for candidate in found], query, codes)
    return highlighter([candidate.chunk.text for candidate in found], query)


def _looked_at_again(
    collection: Collection, query: str, stages: Stages, scores: Scores, reranker: Reranker | None, config: SearchConfig
) -> Scores:
    """The scores after a second look, which is one stage more; the same where there is none."""
    if reranker is None or not scores:
        return scores
    again, scores = second_look(collection, query, scores, reranker=reranker, config=config)
    if again:
        stages["rerank"] = again
    return scores


def _fused(
    collection: Collection, query: str, vector: NDArray[np.float32], stages: Stages, config: SearchConfig
) -> Scores:
    """Both legs as one, with the true cosine of what only the lexical leg found."""
    if config.fusion != "weighted":
        return combined(stages["dense"], stages["bm25"], config.fusion)
    only_lexical = [row for row in stages["bm25"] if row not in stages["dense"]]
    cosines = stages["dense"] | dict(zip(only_lexical, collection.cosines(only_lexical, vector), strict=True))
    return weighted(
        cosines, stages["bm25"], lexical_weight=config.lexical_weight, words=sum(query_terms(query).values()),
        ceiling=collection.text_ceiling(query), lookup=is_lookup(query),
    )  # fmt: skip


def _hits(found: Sequence[Candidate], sentences: Sequence[Span | None], stages: Stages, relevance: Scores) -> list[Hit]:
    told = _told(stages, relevance)
    return [
        told(rank, candidate, sentence)
        for rank, (candidate, sentence) in enumerate(zip(found, sentences, strict=True), start=1)
    ]


def _told(stages: Stages, relevance: Scores) -> Callable[[int, Candidate, Span | None], Hit]:
    """Makes hits that know their relevance, and what each stage that has them says of them."""
    ranks = {stage: {row: rank for rank, row in enumerate(ranked(scores), start=1)} for stage, scores in stages.items()}

    def hit(rank: int, candidate: Candidate, sentence: Span | None) -> Hit:
        row = candidate.row
        said = tuple(
            StageScore(stage, scores[row], ranks[stage][row]) for stage, scores in stages.items() if row in scores
        )
        return dataclasses.replace(_hit(rank, candidate, sentence), relevance=relevance.get(row), stages=said)

    return hit


def _hit(rank: int, candidate: Candidate, sentence: Span | None) -> Hit:
    chunk = candidate.chunk
    return Hit(
        rank=rank,
        score=candidate.score,
        id=chunk.id,
        source=chunk.source,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        page=chunk.page,
        heading_path=chunk.heading_path,
        title=chunk.title,
        member=chunk.member,
        kind=chunk.kind,
        metadata=chunk.metadata,
        highlight=sentence,
        repeats=tuple(
            Location(each.source, each.member, each.start_line, each.end_line, each.page) for each in candidate.repeats
        ),
    )
