"""The best candidates looked at again: by texts, or by the codes of their tokens that the index has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from c2vsearch.collection import Collection, Row
from c2vsearch.config import SearchConfig
from c2vsearch.search.budget import scores_within
from c2vsearch.search.candidate import ranked
from c2vsearch.search.fusion import convex, scaled
from c2vsearch.search.rerank import CodedInteraction, Reranker

Scores = dict[Row, float]
CANDIDATES = 20
CODED_CANDIDATES = 50  # they cost next to nothing, and 50 were better than 20: docs/benchmarks.md


def second_look(
    collection: Collection, query: str, first: Mapping[Row, float], *, reranker: Reranker, config: SearchConfig
) -> tuple[Scores, Scores]:
    """New scores of the first candidates, and of all: the rest stay behind them in their order.

    Args:
        collection: Where the candidates are.
        query: What they are looked at for.
        first: Their scores so far.
        reranker: Looks at the first ``config.rerank_candidates``, or as many as is usual for it.
        config: With ``rerank`` "stored" nothing is looked at if the index lacks the codes of one of them: no new
            scores, and the first as they were.
    """
    usual = CODED_CANDIDATES if isinstance(reranker, CodedInteraction) else CANDIDATES
    head = ranked(first)[: config.rerank_candidates or usual]
    second = _scores(collection, query, head, reranker, config)
    if not second:
        return {}, dict(first)
    head = head[: len(second)]
    weight = reranker.weight if config.rerank_weight is None else config.rerank_weight
    mixed = convex(dict(zip(head, second, strict=True)), {row: first[row] for row in head}, weight=weight)
    # Looked at again: from 1 to 2. The rest: from 0 to 1/2, whatever scale they had before.
    again = {row: 1.0 + score for row, score in mixed.items()}
    return again, {row: score / 2 for row, score in scaled(first).items()} | again


def _scores(
    collection: Collection, query: str, head: Sequence[Row], reranker: Reranker, config: SearchConfig
) -> list[float]:
    """Of the first rows, as many as fit the budget; of none where codes that have to be stored are not."""
    if isinstance(reranker, CodedInteraction):
        stored = collection.token_codes(head, codec=reranker.codec)
        known = [codes for codes in stored if codes is not None]
        if len(known) == len(head):
            return reranker.score_codes(query, known)
        if config.rerank == "stored":
            return []
    texts = [chunk.embedded_text for chunk in collection.chunks(head)]
    if config.rerank_budget_ms is None:
        return reranker.scores(query, texts)
    return scores_within(reranker, query, texts, budget_s=config.rerank_budget_ms / 1000)
