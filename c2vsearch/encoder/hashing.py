"""The fake encoder: a hashed bag of words. Deterministic, offline, numpy alone. For tests and examples only.

It knows no meaning: two texts are near when they share words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.records import Fingerprint

_WORD = re.compile(r"\w+|[^\w\s]")


class WordTokenizer:
    """Words and punctuation marks as tokens."""

    by_words = True

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the words.

        >>> WordTokenizer().token_spans("so, why?")
        [(0, 2), (2, 3), (4, 7), (7, 8)]
        """
        return [match.span() for match in _WORD.finditer(text)]


class HashEncoder:
    """Each word adds a vector drawn from its hash.

    >>> encoder = HashEncoder(dim=32)
    >>> rows = encoder.encode_documents(["red apples", "green apples", "tax law"])
    >>> rows.shape, bool(rows[0] @ rows[1] > rows[0] @ rows[2])
    ((3, 32), True)
    """

    def __init__(self, *, dim: int = 64, max_tokens: int = 512) -> None:
        self.max_tokens = max_tokens
        self.tokenizer = WordTokenizer()
        self.fingerprint = Fingerprint(name="hash", revision=f"words-{dim}", dim=dim, pooling="sum")
        self._words: dict[str, NDArray[np.float32]] = {}

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> NDArray[np.float32]:
        """Shape: (Q, D). The instruction is accepted and has no effect: there is nothing here to instruct."""
        return self.encode_documents(texts)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape: (N, D)."""
        return np.array([self._row(text) for text in texts], dtype=np.float32).reshape(len(texts), self.fingerprint.dim)

    def _row(self, text: str) -> NDArray[np.float32]:
        words = _WORD.findall(text.casefold()) or [""]
        total = np.sum([self._word(word) for word in words], axis=0)
        unit: NDArray[np.float32] = (total / np.linalg.norm(total)).astype(np.float32)
        return unit

    def _word(self, word: str) -> NDArray[np.float32]:
        if word not in self._words:
            seed = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")
            self._words[word] = np.random.default_rng(seed).standard_normal(self.fingerprint.dim).astype(np.float32)
        return self._words[word]
