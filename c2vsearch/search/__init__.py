"""A query to hits: two legs, fused, optionally reranked, each with its provenance. Knows no files."""

from c2vsearch.search.fusion import convex, reciprocal_rank, weighted
from c2vsearch.search.highlight import best_sentences
from c2vsearch.search.pipeline import search
from c2vsearch.search.rerank import LateInteraction, Reranker

__all__ = ["LateInteraction", "Reranker", "best_sentences", "convex", "reciprocal_rank", "search", "weighted"]
