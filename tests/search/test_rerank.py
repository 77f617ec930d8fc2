"""Late interaction against the formula as two loops."""

from __future__ import annotations

import numpy as np
import pytest

from c2vsearch.search import LateInteraction
from c2vsearch.search.rerank import max_similarity


class Tokens:
    """Token states drawn from the characters of each word."""

    def encode_query_tokens(self, text, *, instruction=None):
        rows = [np.random.default_rng(sum(map(ord, word))).standard_normal(8) for word in text.split()]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)

    def encode_document_tokens(self, texts):
        return [self.encode_query_tokens(text) for text in texts]


def test_max_similarity_is_the_mean_of_the_best_cosines():
    query, document = Tokens().encode_document_tokens(["how late is it", "it is nine"])
    expected = sum(max(float(q @ d) for d in document) for q in query) / len(query)
    assert max_similarity(query, document) == pytest.approx(expected, abs=1e-6)


def test_a_text_with_all_the_tokens_scores_one_and_comes_first():
    scores = LateInteraction(Tokens()).scores("late ferry", ["a boat", "the ferry is late", "ferry"])
    assert scores[1] == pytest.approx(1.0, abs=1e-6)
    assert max(scores) == scores[1]


def test_no_texts_need_no_encoding():
    assert LateInteraction(Tokens()).scores("late ferry", []) == []
