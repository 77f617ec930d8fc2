"""A second look at the best candidates: late interaction over token states of the embedding model itself.

Rerankers of other makers are in `c2vsearch.rerankers`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import TokenCoder, TokenEncoder, Tokenizer
from c2vsearch.model.token_codec import needed_codec
from c2vsearch.rerankers.protocol import Reranker

# Reading all of a text makes no difference that could be measured (docs/log.md), but for the time it takes.
TOKENS_READ = 128
QUERY_TOKENS = 128  # of a query that is a text itself, which would take as long as all its words

__all__ = ["CodedInteraction", "LateInteraction", "Reranker", "max_similarity"]


class LastQuery:
    """The token states of the last query, which comes again: under a time budget, and to find the best sentences."""

    def __init__(self, encoder: TokenCoder | TokenEncoder) -> None:
        self._encoder = encoder
        self._last: tuple[str, NDArray[np.float32]] | None = None

    def states(self, query: str) -> NDArray[np.float32]:
        """Unit rows. Shape: (T, K)."""
        last = self._last
        if last is None or last[0] != query:
            last = self._last = (query, self._encoder.encode_query_tokens(query))
        return last[1]


class CodedInteraction:
    """MaxSim against the codes of token states (`c2vsearch.model.token_codec`), which an index may have stored.

    What is not stored is coded when it is asked for, with the same scores: codes depend on nothing but the text.

    Raises:
        InvalidConfig: The model has no codec.
    """

    weight = 0.3  # chosen over evaluation sets together: docs/benchmarks.md

    def __init__(self, encoder: TokenCoder) -> None:
        self._encoder = encoder
        self._codec = needed_codec(encoder.token_codec, "given")
        self._asked = LastQuery(encoder)

    @property
    def codec(self) -> str:
        """What codes have to be made with."""
        return self._codec.identity

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order, from -1 to 1."""
        return self.score_codes(query, self._encoder.encode_token_codes(texts)) if texts else []

    def score_codes(self, query: str, codes: Sequence[bytes]) -> list[float]:
        """One score for the codes of each text, in their order, from -1 to 1."""
        return self._codec.similarities(self.query_states(query), codes) if codes else []

    def query_states(self, query: str) -> NDArray[np.float32]:
        """Unit rows of a query's first tokens. Shape: (T, K)."""
        return self._asked.states(query)[:QUERY_TOKENS]


class LateInteraction:
    """MaxSim (Khattab & Zaharia, SIGIR 2020): every query token looks for its nearest document token.

    The score is the mean over the query's tokens of the best cosine, so it lies in [-1, 1]. With a tokenizer, of a text
    the first `TOKENS_READ` tokens are compared.
    """

    weight = 0.3  # chosen over evaluation sets together: docs/benchmarks.md

    def __init__(self, encoder: TokenEncoder, *, tokenizer: Tokenizer | None = None) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._asked = LastQuery(encoder)

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order."""
        if not texts:
            return []
        return max_similarities(self._asked.states(query), self._encoder.encode_document_tokens(self.read(texts)))

    def read(self, texts: Sequence[str]) -> list[str]:
        """The part of each text that is compared."""
        return list(texts) if self._tokenizer is None else [_beginning(text, self._tokenizer) for text in texts]


def _beginning(text: str, tokenizer: Tokenizer) -> str:
    """The first tokens of a text; no tokenizer makes more of them than bytes."""
    if len(text.encode("utf-8", "replace")) <= TOKENS_READ:
        return text
    spans = tokenizer.token_spans(text)
    return text if len(spans) <= TOKENS_READ else text[: spans[TOKENS_READ - 1][1]]


def max_similarities(query: NDArray[np.float32], documents: Sequence[NDArray[np.float32]]) -> list[float]:
    """`max_similarity` of each document, by one product. Shape: (T_q, K), N arrays (T_i, K), none of them empty."""
    starts = np.cumsum([0, *(len(states) for states in documents[:-1])])
    best = np.maximum.reduceat(query @ np.concatenate(documents).T, starts, axis=1)  # (T_q, N)
    return [float(score) for score in best.mean(axis=0)]


def max_similarity(query: NDArray[np.float32], document: NDArray[np.float32]) -> float:
    """Mean over query rows of the highest inner product with a document row. Shape: (T_q, K), (T_d, K)."""
    return float((query @ document.T).max(axis=1).mean())
