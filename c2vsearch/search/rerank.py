"""A second look at the best candidates: late interaction over token states of the embedding model itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import TokenEncoder


class Reranker(Protocol):
    """Scores texts against a query; higher is better."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order."""


class LateInteraction:
    """MaxSim (Khattab & Zaharia, SIGIR 2020): every query token looks for its nearest document token.

    The score is the mean over the query's tokens of the best cosine, so it lies in [-1, 1].
    """

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order."""
        if not texts:
            return []
        tokens = self._encoder.encode_query_tokens(query)
        return [max_similarity(tokens, states) for states in self._encoder.encode_document_tokens(texts)]


def max_similarity(query: NDArray[np.float32], document: NDArray[np.float32]) -> float:
    """Mean over query rows of the highest inner product with a document row. Shape: (T_q, K), (T_d, K)."""
    return float((query @ document.T).max(axis=1).mean())
