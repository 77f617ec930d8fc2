"""One query through the stages: dense and lexical legs, fusion, rerank, hits.

Every stage only orders what the one before gave it; its score and rank stay with the hit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import Collection, Row
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidQuery
from c2vsearch.records import Chunk, Hit, StageScore
from c2vsearch.search.fusion import convex, weighted
from c2vsearch.search.highlight import best_sentence
from c2vsearch.search.rerank import Reranker

Stages = dict[str, dict[Row, float]]


def check_query(text: str) -> str:
    """A query as it can be searched for.

    Raises:
        InvalidQuery: It is empty.
    """
    query = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").strip()
    if not query:
        raise InvalidQuery("the query is empty; expected some words to search for")
    return query


def search(
    collection: Collection,
    query: str,
    *,
    vector: NDArray[np.float32] | None,
    config: SearchConfig,
    reranker: Reranker | None = None,
) -> list[Hit]:
    """The ``config.k`` best chunks for a query.

    Args:
        collection: The version to search.
        query: The words; used by the lexical leg, the reranker and the highlight.
        vector: The query's unit vector; None in mode "bm25". Shape: (D,).
        config: Mode, sizes and weights.
        reranker: Looks again at the first ``config.rerank_candidates``; None for no second look.
    """
    depth = max(config.candidates, config.k)
    stages: Stages = {}
    if config.mode != "bm25" and vector is not None:
        stages["dense"] = {row: score for row, score in collection.search_vectors(vector, k=depth)}
    if config.mode != "dense":
        stages["bm25"] = {row: score for row, score in collection.search_text(query, k=depth)}
    if config.mode == "hybrid" and vector is not None:
        stages["fused"] = _fused(collection, query, vector, stages, config)
    order = _ranked(stages[next(reversed(stages))])
    if reranker is not None and order:
        order = _reranked(collection, query, order, stages, reranker, config)
    rows = _distinct(collection, order, config.k)
    return _hits(rows, query, stages)


def _fused(
    collection: Collection, query: str, vector: NDArray[np.float32], stages: Stages, config: SearchConfig
) -> dict[Row, float]:
    """Both legs as one, with the true cosine of what only the lexical leg found."""
    only_lexical = [row for row in stages["bm25"] if row not in stages["dense"]]
    cosines = stages["dense"] | dict(zip(only_lexical, collection.cosines(only_lexical, vector), strict=True))
    ceiling = collection.text_ceiling(query)
    return weighted(cosines, stages["bm25"], lexical_weight=config.lexical_weight, ceiling=ceiling)


def _ranked(scores: Mapping[Row, float]) -> list[Row]:
    """Best first; equal scores in the order of the index, so that a search gives the same answer twice."""
    return sorted(scores, key=lambda row: (-scores[row], row))


def _reranked(
    collection: Collection, query: str, order: list[Row], stages: Stages, reranker: Reranker, config: SearchConfig
) -> list[Row]:
    """The first candidates in a new order, the rest behind them as they were."""
    head = order[: config.rerank_candidates]
    second = reranker.scores(query, [chunk.embedded_text for chunk in collection.chunks(head)])
    first = stages[next(reversed(stages))]
    again = dict(zip(head, second, strict=True))
    mixed = convex(again, {row: first[row] for row in head}, weight=config.rerank_weight)
    # One above: those not looked at again keep their old scores, which are at most 1, and stay behind.
    stages["rerank"] = {row: 1.0 + score for row, score in mixed.items()}
    return _ranked(mixed) + order[len(head) :]


def _distinct(collection: Collection, order: list[Row], k: int) -> list[tuple[Row, Chunk]]:
    """The first k rows that do not repeat another's text."""
    found: list[tuple[Row, Chunk]] = []
    seen: set[str] = set()
    for start in range(0, len(order), k):
        part = order[start : start + k]
        for row, chunk in zip(part, collection.chunks(part), strict=True):
            if chunk.text not in seen:
                seen.add(chunk.text)
                found.append((row, chunk))
        if len(found) >= k:
            break
    return found[:k]


def _hits(rows: list[tuple[Row, Chunk]], query: str, stages: Stages) -> list[Hit]:
    ranks = {
        stage: {row: rank for rank, row in enumerate(_ranked(scores), start=1)} for stage, scores in stages.items()
    }
    *_, last = stages.values()
    before = {row: score for scores in stages.values() for row, score in scores.items()}
    texts = [chunk.text for _, chunk in rows]
    return [
        Hit(
            rank=rank,
            score=last.get(row, before.get(row, 0.0)),
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
            highlight=best_sentence(chunk.text, query, others=texts[: rank - 1] + texts[rank:]),
            stages=tuple(
                StageScore(stage, scores[row], ranks[stage][row]) for stage, scores in stages.items() if row in scores
            ),
        )
        for rank, (row, chunk) in enumerate(rows, start=1)
    ]
