"""Late interaction against the formula as two loops."""

from __future__ import annotations

import numpy as np
import pytest

from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.search import LateInteraction
from c2vsearch.search.rerank import TOKENS_READ, max_similarities, max_similarity


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


def test_many_documents_are_compared_as_each_by_itself():
    query, *documents = Tokens().encode_document_tokens(
        ["how late is it", "it is nine", "late", "a b c d e f g", "is it"]
    )
    expected = [max_similarity(query, document) for document in documents]
    assert max_similarities(query, documents) == pytest.approx(expected, abs=1e-6)


def test_the_tokens_of_a_query_are_kept_for_the_next_texts():
    tokens = Tokens()
    asked = []
    encode = tokens.encode_query_tokens
    tokens.encode_query_tokens = lambda text: asked.append(text) or encode(text)
    tokens.encode_document_tokens = lambda texts: [encode(text) for text in texts]
    reranker = LateInteraction(tokens)
    first = reranker.scores("late ferry", ["a boat"]) + reranker.scores("late ferry", ["ferry"])
    assert asked == ["late ferry"]
    assert LateInteraction(Tokens()).scores("late ferry", ["a boat", "ferry"]) == pytest.approx(first, abs=1e-6)
    assert reranker.scores("ferry", ["ferry"]) == pytest.approx([1.0], abs=1e-6)


def test_of_a_long_text_the_beginning_is_compared():
    beginning = " ".join(f"w{number}" for number in range(TOKENS_READ))
    reranker = LateInteraction(Tokens(), tokenizer=WordTokenizer())
    texts = [beginning, beginning + " late ferry", "late ferry"]
    scores = reranker.scores("late ferry", texts)
    assert scores[0] == scores[1] < scores[2]
    whole = LateInteraction(Tokens()).scores("late ferry", texts)
    assert whole[1] > whole[0] == pytest.approx(scores[0], abs=1e-6)


def test_a_text_with_all_the_tokens_scores_one_and_comes_first():
    scores = LateInteraction(Tokens()).scores("late ferry", ["a boat", "the ferry is late", "ferry"])
    assert scores[1] == pytest.approx(1.0, abs=1e-6)
    assert max(scores) == scores[1]


def test_no_texts_need_no_encoding():
    assert LateInteraction(Tokens()).scores("late ferry", []) == []
