"""The best sentence against a slow twin that compares every sentence with every text."""

from __future__ import annotations

import random

import pytest

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.index.analysis import query_terms
from c2vsearch.search import best_sentences


def slow_twin(text: str, query: str, others: list[str]) -> tuple[int, int] | None:
    wanted = set(query_terms(query))
    best, best_score = None, 0.0
    for start, end in sentence_spans(text):
        score = 0.0
        for term in sorted(wanted & set(query_terms(text[start:end]))):
            holders = 1 + sum(
                any(term in query_terms(other[first:last]) for first, last in sentence_spans(other)) for other in others
            )
            score += 1.0 / holders
        if score > best_score:
            best, best_score = (start, end), score
    return best


@pytest.mark.parametrize("seed", range(6))
def test_all_texts_at_once_equal_the_slow_twin(seed):
    rng = random.Random(seed)
    words = "ferry claims paid harbour night rope crew the of 船は出ます winds claiming".split()
    texts = [". ".join(" ".join(rng.choices(words, k=5)) for _ in range(4)) + "." for _ in range(7)]
    query = " ".join(rng.choices(words, k=4))
    expected = [slow_twin(text, query, texts[:i] + texts[i + 1 :]) for i, text in enumerate(texts)]
    assert best_sentences(texts, query) == expected


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The ferry is late. Claims are paid on Friday.", "when is a claim paid", "Claims are paid on Friday."),
        ("船は九時に出ます。運賃は千円です。", "運賃はいくら", "運賃は千円です。"),
        ("Nothing of that kind. Nor here.", "zeppelin", None),
        ("What is it? It is a boat.", "what", "What is it?"),
        ("Some text.", "?!", None),
        ("", "boat", None),
    ],
)
def test_the_sentence_that_answers(text, query, expected):
    [span] = best_sentences([text], query)
    assert (text[slice(*span)] if span else None) == expected


def test_a_word_every_hit_has_counts_less_than_a_rare_one():
    texts = ["The ferry leaves. The lighthouse opens.", "A ferry.", "Another ferry.", "One more ferry."]
    start, end = best_sentences(texts, "ferry lighthouse")[0]
    assert texts[0][start:end] == "The lighthouse opens."


def test_no_texts_give_no_spans():
    assert best_sentences([], "boat") == []
