"""A second look at texts with a query beside them: models of other makers behind one Protocol. Knows no index."""

from c2vsearch.rerankers.load import load_reranker
from c2vsearch.rerankers.protocol import ListReranker, Reranker

__all__ = ["ListReranker", "Reranker", "load_reranker"]
