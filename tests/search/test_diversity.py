"""Choosing hits: against definitions written out, on drawn candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.collection import Row
from c2vsearch.records import Chunk
from c2vsearch.search.candidate import Candidate, collapsed
from c2vsearch.search.diversity import first, grouped, marginal_relevance


def candidates(sources, texts=None):
    texts = texts or [f"text {number}" for number in range(len(sources))]
    return [
        Candidate(Row(0, n), Chunk(str(n), source, source, 0, len(text), text, 1, 1), 1.0 - n / 100)
        for n, (source, text) in enumerate(zip(sources, texts, strict=True))
    ]


SOURCES = st.lists(st.sampled_from("abcde"), max_size=30)


@given(SOURCES, st.integers(1, 8), st.integers(1, 4))
def test_no_file_has_more_hits_than_it_may_and_no_better_one_is_left_out(sources, k, most):
    found = [candidate.row.row for candidate in first(iter(candidates(sources)), k=k, per_source=most)]
    allowed = [n for n, source in enumerate(sources) if sources[:n].count(source) < most]
    assert found == allowed[:k]


@given(SOURCES, st.integers(1, 8), st.integers(1, 4))
def test_grouped_hits_are_those_of_the_first_files(sources, files, most):
    found = [candidate.row.row for candidate in grouped(iter(candidates(sources)), files=files, per_source=most)]
    names = list(dict.fromkeys(sources))[:files]
    assert found == [n for name in names for n in [n for n, source in enumerate(sources) if source == name][:most]]


@given(st.lists(st.sampled_from(["one", "One!", "two", "three"]), max_size=20))
def test_collapsing_loses_no_candidate(texts):
    everything = candidates(["a"] * len(texts), texts)
    found = list(collapsed(iter(everything)))
    words = [text.casefold().strip("!") for text in texts]
    assert [c.row.row for c in found] == [n for n, word in enumerate(words) if word not in words[:n]]
    assert sum(1 + len(candidate.repeats) for candidate in found) == len(texts)


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.7, 1.0])
def test_marginal_relevance_is_its_formula(diversity):
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((12, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = sorted(generator.random(12).tolist(), reverse=True)
    worth = [(score - scores[-1]) / (scores[0] - scores[-1]) for score in scores]
    order = [0]
    while len(order) < 12:
        left = [n for n in range(12) if n not in order]
        gains = {n: (1 - diversity) * worth[n] - diversity * max(vectors[n] @ vectors[m] for m in order) for n in left}
        order.append(max(left, key=lambda n: gains[n]))
    assert marginal_relevance(scores, vectors, diversity=diversity) == order
    assert marginal_relevance([], vectors[:0], diversity=diversity) == []


def test_without_diversity_the_order_is_that_of_the_scores():
    vectors = np.eye(5, dtype=np.float32)
    assert marginal_relevance([0.9, 0.5, 0.5, 0.2, 0.1], vectors, diversity=0.0) == [0, 1, 2, 3, 4]
