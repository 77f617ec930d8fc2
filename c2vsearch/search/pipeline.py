"""One query through the stages: dense and lexical legs, fusion, rerank, hits.

Every stage only orders what the one before gave it; its score and rank stay with the hit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import Collection, Row
from c2vsearch.config import SearchConfig
from c2vsearch.index.analysis import is_lookup, query_terms
from c2vsearch.records import Chunk, Hit, StageScore
from c2vsearch.search.fusion import USUAL_WORDS, convex, scaled, weighted
from c2vsearch.search.highlight import Span, best_sentences
from c2vsearch.search.phrases import keyword_hits, without
from c2vsearch.search.query import Query
from c2vsearch.search.rerank import Reranker

if TYPE_CHECKING:
    from c2vsearch.collection.compaction import Live

Scores = dict[Row, float]
Stages = dict[str, Scores]


def search(
    collection: Collection,
    query: Query,
    *,
    vector: NDArray[np.float32] | None,
    config: SearchConfig,
    reranker: Reranker | None = None,
    highlight: bool = True,
    among: Live | None = None,
) -> list[Hit]:
    """The ``config.k`` best chunks for a query.

    Args:
        collection: The version to search.
        query: The words, used by the lexical leg, the reranker and the highlight; phrases, which hits of the lexical
            leg have; what hits of neither leg have.
        vector: The query's unit vector; None in mode "bm25". Shape: (D,).
        config: Mode, sizes and weights.
        reranker: Looks again at the first ``config.rerank_candidates``; None for no second look.
        highlight: Look for the best sentence of each hit; it is most of the time a search of many hits takes.
        among: Which rows of each shard may be given, by either leg; None for all.
    """
    # No more than there is: the keyword index sets room aside for as many as are asked for.
    depth = min(max(config.candidates, config.k), sum(entry.rows for entry in collection.manifest.shards))
    among, text = without(collection, query.excluded, among), query.text
    stages: Stages = {}
    if config.mode != "bm25" and vector is not None:
        stages["dense"] = dict(collection.search_vectors(vector, k=depth, among=among))
    if config.mode != "dense":
        stages["bm25"] = dict(keyword_hits(collection, text, query.phrases, k=depth, among=among))
    if config.mode == "hybrid" and vector is not None:
        stages["fused"] = _fused(collection, text, vector, stages, config)
    scores = stages[next(reversed(stages))]
    if reranker is not None and scores:
        stages["rerank"], scores = _reranked(collection, text, scores, reranker, config)
    rows = _best(collection, scores, config.k)
    sentences = best_sentences([chunk.text for _, chunk in rows], text) if highlight else [None] * len(rows)
    return _hits(rows, sentences, scores, stages)


def _fused(
    collection: Collection, query: str, vector: NDArray[np.float32], stages: Stages, config: SearchConfig
) -> Scores:
    """Both legs as one, with the true cosine of what only the lexical leg found."""
    only_lexical = [row for row in stages["bm25"] if row not in stages["dense"]]
    cosines = stages["dense"] | dict(zip(only_lexical, collection.cosines(only_lexical, vector), strict=True))
    # Who looks up a name means that word: few words say little in a question, but everything here.
    words = USUAL_WORDS if is_lookup(query) else sum(query_terms(query).values())
    return weighted(
        cosines, stages["bm25"], lexical_weight=config.lexical_weight, words=words,
        ceiling=collection.text_ceiling(query),
    )  # fmt: skip


def _ranked(scores: Mapping[Row, float]) -> list[Row]:
    """Best first; equal scores in the order of the index, so that a search gives the same answer twice."""
    return sorted(scores, key=lambda row: (-scores[row], row))


def _reranked(
    collection: Collection, query: str, first: Scores, reranker: Reranker, config: SearchConfig
) -> tuple[Scores, Scores]:
    """New scores of the first candidates, and of all: the rest stay behind them in their order."""
    head = _ranked(first)[: config.rerank_candidates]
    second = reranker.scores(query, [chunk.embedded_text for chunk in collection.chunks(head)])
    mixed = convex(dict(zip(head, second, strict=True)), {row: first[row] for row in head}, weight=config.rerank_weight)
    # Looked at again: from 1 to 2. The rest: from 0 to 1/2, whatever scale they had before.
    again = {row: 1.0 + score for row, score in mixed.items()}
    return again, {row: score / 2 for row, score in scaled(first).items()} | again


def _best(collection: Collection, scores: Scores, k: int) -> list[tuple[Row, Chunk]]:
    """The k best chunks; equal scores in the order of their ids, what one source repeats only once."""
    order = _ranked(scores)
    found: list[tuple[Row, Chunk]] = []
    seen: set[tuple[str, str, str]] = set()
    start = 0
    while start < len(order) and len(found) < k:
        end = min(start + k, len(order))
        while end < len(order) and scores[order[end]] == scores[order[end - 1]]:
            end += 1  # rows of one score are put in order together
        part = list(zip(order[start:end], collection.chunks(order[start:end]), strict=True))
        for row, chunk in sorted(part, key=lambda item: (-scores[item[0]], item[1].id)):
            if (chunk.source, chunk.member, chunk.hash) not in seen:
                seen.add((chunk.source, chunk.member, chunk.hash))
                found.append((row, chunk))
        start = end
    return found[:k]


def _hits(rows: list[tuple[Row, Chunk]], sentences: Sequence[Span | None], scores: Scores, stages: Stages) -> list[Hit]:
    ranks = {stage: {row: rank for rank, row in enumerate(_ranked(found), start=1)} for stage, found in stages.items()}
    return [
        Hit(
            rank=rank,
            score=scores[row],
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
            stages=tuple(
                StageScore(stage, found[row], ranks[stage][row]) for stage, found in stages.items() if row in found
            ),
        )
        for rank, ((row, chunk), sentence) in enumerate(zip(rows, sentences, strict=True), start=1)
    ]
