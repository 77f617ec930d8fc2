"""The best sentence against a slow twin that compares every sentence with every text."""

from __future__ import annotations

import random

import numpy as np
import pytest

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.encoder import HashEncoder, load_encoder
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.index.analysis import query_terms
from c2vsearch.search import best_sentences
from c2vsearch.search.token_match import TokenMatch


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


class Letters:
    """A token encoder whose tokens are words, each a direction of its own, between two marks as [CLS] and [SEP] are."""

    def __init__(self, *, marks: int) -> None:
        self._marks = marks
        self.tokenizer = WordTokenizer()

    def encode_query_tokens(self, text, *, instruction=None):
        words = [text[start:end] for start, end in self.tokenizer.token_spans(text)]
        around = [["[CLS]", "[SEP]"][: self._marks // 2 + self._marks % 2], ["[SEP]"] * (self._marks // 2)]
        rows = [HashEncoder(dim=16).encode_documents([word])[0] for word in (*around[0], *words, *around[1])]
        return np.array(rows, dtype=np.float32)

    def encode_document_tokens(self, texts):
        return [self.encode_query_tokens(text)[:40] for text in texts]


def slow_match(text, query, encoder):
    """Every pair of tokens compared, one at a time."""
    spans = sentence_spans(text)
    before = 1 if encoder._marks else 0
    states = encoder.encode_document_tokens([text])[0][before:]
    tokens = list(zip(encoder.tokenizer.token_spans(text), states, strict=False))
    asked = encoder.encode_query_tokens(query)
    best = {
        span: [
            max((float(q @ row) for (start, end), row in tokens if start < span[1] and end > span[0]), default=None)
            for q in asked
        ]
        for span in spans
    }
    best = {span: values for span, values in best.items() if None not in values}
    means = [sum(values[n] for values in best.values()) / len(best) for n in range(len(asked))] if best else []
    gains = {
        span: sum(max(0.0, value - mean) for value, mean in zip(values, means, strict=True))
        for span, values in best.items()
    }
    return max(gains, key=lambda span: (round(gains[span], 5), -span[0])) if gains else None


@pytest.mark.parametrize("marks", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_states_equal_the_slow_twin(seed, marks):
    rng = random.Random(seed)
    words = "ferry claims paid harbour night rope crew the of winds".split()
    texts = [". ".join(" ".join(rng.choices(words, k=5)) for _ in range(rng.choice([1, 3, 9]))) + "." for _ in range(6)]
    encoder, query = Letters(marks=marks), " ".join(rng.choices(words, k=4))
    found = TokenMatch(encoder, encoder.tokenizer)([*texts, ""], query)
    assert found == [slow_match(text, query, encoder) for text in texts] + [None]


def test_the_shipped_model_finds_a_paraphrase():
    encoder = load_encoder("c2v-mini")
    text = "Reception is open on weekdays. Pets may come along on Fridays. The bin is green."
    [by_words] = best_sentences([text], "when can I bring my dog")
    [(start, end)] = TokenMatch(encoder, encoder.tokenizer)([text], "when can I bring my dog")
    assert by_words is None
    assert text[start:end] == "Pets may come along on Fridays."
    assert TokenMatch(encoder, encoder.tokenizer)([], "dog") == []
    [(start, end)] = TokenMatch(encoder, encoder.tokenizer)(["word " * 600 + "end. Pets."], "dog")
    assert start == 0
