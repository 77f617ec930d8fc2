"""What a model's search profile says and refuses."""

from __future__ import annotations

import numpy as np
import pytest

from c2vsearch.encoder import load_encoder
from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.model.profile import PROFILE_FILE, Logistic, SearchProfile, read_profile


def test_a_profile_comes_back_as_it_was_written(tmp_path):
    profile = SearchProfile(eos_weight=0.25, relevance={"dense": Logistic(7.5, -5.0), "hybrid": Logistic(8.0, -4.0)})
    (tmp_path / PROFILE_FILE).write_text(profile.to_json())
    assert read_profile(tmp_path) == profile
    assert read_profile(tmp_path / "elsewhere") == SearchProfile()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": 2, "eos_weight": 1, "relevance": {}}', '{"format": 1, "relevance": {}}',
     '{"format": 1, "eos_weight": 7, "relevance": {}}', '{"format": 1, "eos_weight": 1, "relevance": {"dense": 3}}',
     '{"format": 1, "eos_weight": 1, "relevance": {"dense": {"slope": -1, "intercept": 0}}}'],
)  # fmt: skip
def test_a_broken_profile_is_named(tmp_path, text):
    (tmp_path / PROFILE_FILE).write_text(text)
    with pytest.raises(CorruptFile, match=PROFILE_FILE):
        read_profile(tmp_path)


def test_a_probability_and_its_score_are_inverse():
    curve = Logistic(7.0, -4.5)
    for share in (0.01, 0.3, 0.5, 0.97):
        assert curve.probability(curve.score(share)) == pytest.approx(share)
    assert curve.probability(0.7) == pytest.approx(1 / (1 + np.exp(-(7.0 * 0.7 - 4.5))))
    assert (curve.probability(1e6), curve.probability(-1e6)) == (1.0, 0.0)


def test_the_eos_half_of_a_query_weighs_less_beside_keywords():
    query = np.array([0.5, 0.5, 0.5, 0.5], dtype=np.float32)
    assert SearchProfile().beside_keywords(query) is query
    found = SearchProfile(eos_weight=0.5).beside_keywords(query)
    assert found == pytest.approx(np.array([2, 2, 1, 1]) / np.sqrt(10))
    with pytest.raises(InvalidConfig, match="eos_weight is 2"):
        SearchProfile(eos_weight=2)


def test_the_model_that_ships_has_one():
    profile = load_encoder().profile
    assert 0 < profile.eos_weight < 1
    assert set(profile.relevance) == {"dense", "hybrid"}
