"""A query to hits: two legs, fused, optionally reranked, each with its provenance. Knows no files."""

from c2vsearch.search.fusion import convex, reciprocal_rank, weighted
from c2vsearch.search.highlight import best_sentences
from c2vsearch.search.pipeline import search
from c2vsearch.search.query import Query, parse_query, plain_query
from c2vsearch.search.rerank import LateInteraction, Reranker

__all__ = [
    "LateInteraction", "Query", "Reranker", "best_sentences", "convex", "parse_query", "plain_query", "reciprocal_rank",
    "search", "weighted",
]  # fmt: skip
