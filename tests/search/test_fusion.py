"""Fusion by hand and as properties; late interaction by its formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.search.fusion import combined, convex, reciprocal_rank, weighted
from c2vsearch.search.rerank import LateInteraction, max_similarity

SCORES = st.dictionaries(st.integers(0, 30), st.floats(-5, 50, allow_nan=False), max_size=15)


@given(SCORES, SCORES, st.floats(0, 1))
def test_fusion_neither_adds_nor_loses(first: dict[int, float], second: dict[int, float], weight: float) -> None:
    for fused in (convex(first, second, weight=weight), reciprocal_rank([first, second], rrf_k=60)):
        assert set(fused) == set(first) | set(second)
        assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


@given(st.dictionaries(st.integers(0, 9), st.floats(-1, 1)), st.floats(0, 1))
def test_fusion_with_no_words_keeps_the_order(cosines: dict[int, float], weight: float) -> None:
    fused = weighted(cosines, {}, lexical_weight=weight, words=5, ceiling=0.0)
    assert sorted(fused, key=lambda key: (fused[key], key)) == sorted(cosines, key=lambda key: (fused[key], key))
    for key, cosine in cosines.items():
        assert fused[key] == pytest.approx(cosine / (1 + weight))


def test_weighted_by_hand() -> None:
    lexical = {"b": 9.0, "c": 4.0}
    fused = weighted({"a": 0.8, "b": 0.6, "c": 0.1}, lexical, lexical_weight=0.2, words=10, ceiling=36.0)
    scale = 9**0.9 * 36**0.1
    expected = {"a": 0.8, "b": 0.6 + 0.4 * (9 / scale) ** 2, "c": 0.1 + 0.4 * (4 / scale) ** 2}
    assert fused == pytest.approx({key: score / 1.4 for key, score in expected.items()})


def test_a_match_of_some_words_of_a_short_query_says_less_than_of_a_long_one() -> None:
    scales = {
        words: 9 ** (0.6 + 0.03 * words) * 36 ** (0.4 - 0.03 * words) if words < 10 else 9**0.9 * 36**0.1
        for words in (2, 5, 10, 20)
    }
    for words, scale in scales.items():
        fused = weighted({"a": 0.0}, {"a": 9.0}, lexical_weight=0.1, words=words, ceiling=36.0)
        weight = 0.1 * min(words / 5, 3)
        assert fused["a"] == pytest.approx(weight * (9 / scale) ** 2 / (1 + weight))


def test_a_name_is_worth_as_much_as_a_long_query() -> None:
    name = weighted({"a": 0.5}, {"a": 2.0}, lexical_weight=0.1, words=1, ceiling=2.0, lookup=True)
    assert name == pytest.approx({"a": 0.8 / 1.3})


@given(SCORES, SCORES)
def test_the_usual_fusions_by_their_formulas(dense: dict[int, float], lexical: dict[int, float]) -> None:
    for fusion, scale in (("minmax", _by_range), ("zscore", _by_deviation)):
        fused = combined(dense, lexical, fusion)
        lists = [scale(scores) for scores in (dense, lexical)]
        lows = [min(scores.values(), default=0.0) for scores in lists]
        expected = {
            key: sum(scores.get(key, low) for scores, low in zip(lists, lows, strict=True)) / 2
            for key in {**dense, **lexical}
        }
        assert fused == pytest.approx(expected, abs=1e-6)
    assert combined(dense, lexical, "rrf") == reciprocal_rank([dense, lexical], rrf_k=60)


def _by_range(scores: dict[int, float]) -> dict[int, float]:
    values = np.array(list(scores.values()))
    span = np.ptp(values) if len(values) else 0
    return {key: float((score - values.min()) / span) if span else 1.0 for key, score in scores.items()}


def _by_deviation(scores: dict[int, float]) -> dict[int, float]:
    values = np.array(list(scores.values()))
    alike = not len(values) or values.std() == 0
    return {key: 0.0 if alike else float((score - values.mean()) / values.std()) for key, score in scores.items()}


def test_the_weight_of_words_is_bounded() -> None:
    long, longer = (
        weighted({"a": 0.5}, {"a": 2.0}, lexical_weight=0.1, words=words, ceiling=2.0) for words in (15, 4500)
    )
    assert long == longer == pytest.approx({"a": 0.8 / 1.3})


def test_reciprocal_rank_by_hand() -> None:
    fused = reciprocal_rank([{"a": 3.0, "b": 2.0, "c": 1.0}, {"c": 9.0, "a": 1.0}], rrf_k=10)
    assert fused == pytest.approx({"a": 1 / 11 + 1 / 12, "b": 1 / 12, "c": 1 / 13 + 1 / 11})


class Letters:
    """A token encoder whose tokens are letters, each a direction of its own."""

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> np.ndarray:
        return np.eye(26, dtype=np.float32)[[ord(letter) - 97 for letter in text]]

    def encode_document_tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self.encode_query_tokens(text) for text in texts]


def test_late_interaction_is_the_mean_of_the_best() -> None:
    assert LateInteraction(Letters()).scores("abcd", ["abzz", "dcba", "z"]) == [0.5, 1.0, 0.0]
    assert LateInteraction(Letters()).scores("abcd", []) == []
    generator = np.random.default_rng(1)
    query, document = (generator.standard_normal((n, 7)).astype(np.float32) for n in (3, 5))
    expected = sum(max(float(q @ d) for d in document) for q in query) / 3
    assert max_similarity(query, document) == pytest.approx(expected, rel=1e-5)
