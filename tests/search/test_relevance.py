"""Relevance and thresholds: the curve, the order, what is left out, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.relevance import fit_curve
from c2vsearch.model.profile import Logistic, SearchProfile
from c2vsearch.search import search
from c2vsearch.search.query import Query
from tests.search.test_pipeline import VECTOR, InMemory, chunk

PROFILE = SearchProfile(relevance={"dense": Logistic(10.0, -6.0), "hybrid": Logistic(8.0, -4.0)})


@pytest.fixture
def collection():
    return InMemory([chunk(n) for n in range(10)], {n: 0.9 - n / 20 for n in range(8)}, {9: 14.0, 3: 11.0})


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_relevance_is_the_curve_of_the_mode_and_keeps_the_order(collection, mode):
    hits = search(collection, Query("text"), vector=VECTOR, config=SearchConfig(mode=mode), profile=PROFILE)
    curve = PROFILE.relevance[mode]
    assert [hit.relevance for hit in hits] == [curve.probability(hit.score) for hit in hits]
    least = hits[3].relevance
    config = SearchConfig(mode=mode, min_score=least)
    assert search(collection, Query("text"), vector=VECTOR, config=config, profile=PROFILE) == [
        dataclasses.replace(hit) for hit in hits[:4]
    ]


def test_what_was_not_measured_has_no_relevance_and_no_threshold(collection):
    for config in (SearchConfig(mode="bm25"), SearchConfig(fusion="rrf"), SearchConfig(lexical_weight=0.5)):
        hits = search(collection, Query("text"), vector=VECTOR, config=config, profile=PROFILE)
        assert {hit.relevance for hit in hits} == {None}
        config_with = dataclasses.replace(config, min_score=0.5)
        with pytest.raises(InvalidConfig, match="min_score is 0.5"):
            search(collection, Query("text"), vector=VECTOR, config=config_with, profile=PROFILE)
    with pytest.raises(InvalidConfig, match="was not measured"):
        search(collection, Query("text"), vector=VECTOR, config=SearchConfig(min_score=0.5))


class LastFirst:
    """The later, the better."""

    def scores(self, query, texts):
        return [float(place) for place, _ in enumerate(texts)]


def test_reranking_looks_at_relevant_hits_alone_and_leaves_relevance_as_it_was(collection):
    config = SearchConfig(mode="dense", min_score=0.5, rerank_weight=1.0)
    plain = search(collection, Query("text"), vector=VECTOR, config=config, profile=PROFILE)
    again = search(collection, Query("text"), vector=VECTOR, config=config, profile=PROFILE, reranker=LastFirst())
    assert [(hit.id, hit.relevance) for hit in again] == [(hit.id, hit.relevance) for hit in reversed(plain)]


def test_the_curve_is_that_of_a_plain_descent_on_the_likelihood():
    generator = np.random.default_rng(5)
    scores = generator.random(400)
    right = generator.random(400) < 1 / (1 + np.exp(-(9 * scores - 5)))
    weights = generator.random(400)
    curve = fit_curve(scores.tolist(), right.tolist(), weights=weights.tolist())
    slope = intercept = 0.0
    for _ in range(200_000):
        error = weights / weights.sum() * (right - 1 / (1 + np.exp(-(slope * scores + intercept))))
        step = 8.0 * float((error * scores).sum()), 8.0 * float(error.sum())
        slope, intercept = slope + step[0], intercept + step[1]
        if max(map(abs, step)) < 1e-9:
            break
    assert (curve.slope, curve.intercept) == pytest.approx((slope, intercept), abs=1e-3)
    with pytest.raises(InvalidConfig, match="judged alike"):
        fit_curve([0.1, 0.2], [True, True])


def test_a_question_without_an_answer_finds_nothing(tmp_path):
    (tmp_path / "a.md").write_text("# Ferries\n\nThe ferry to the island leaves at nine in the morning.\n")
    index_directory(tmp_path, index=tmp_path / "index")
    with Retriever.open(tmp_path / "index") as retriever:
        [hit] = retriever.search("when does the ferry to the island leave", min_score=0.3)
        assert hit.relevance >= 0.3
        assert retriever.search("symptoms of a vitamin deficiency", min_score=0.3) == []
