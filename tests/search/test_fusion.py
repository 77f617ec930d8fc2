"""Fused scores against the formulas, written again with numpy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.search import convex, reciprocal_rank, standardised
from c2vsearch.search.fusion import scaled

finite = st.floats(-1.0, 1.0, allow_nan=False).map(lambda value: round(value, 3))
runs = st.dictionaries(st.integers(0, 20), finite, max_size=12)
weights = st.sampled_from([0.0, 0.3, 0.6, 1.0])


def reference_standardised(dense: dict[int, float], lexical: dict[int, float], weight: float) -> dict[int, float]:
    keys = sorted({*dense, *lexical})
    legs = []
    for run, missing in ((dense, min(dense.values(), default=0.0)), (lexical, 0.0)):
        column = np.array([run.get(key, missing) for key in keys])
        legs.append((column - column.mean()) / column.std() if np.ptp(column) > 0 else column * 0)
    return dict(zip(keys, (weight * legs[0] + (1 - weight) * legs[1]).tolist(), strict=True))


@settings(max_examples=80, deadline=None)
@given(runs, runs.map(lambda run: {key: 10 * abs(score) for key, score in run.items()}), weights)
def test_standardised_is_the_weighted_sum_of_z_scores(dense, lexical, weight):
    fused = standardised(dense, lexical, dense_weight=weight)
    assert fused == pytest.approx(reference_standardised(dense, lexical, weight) if fused else {}, abs=1e-9)
    assert set(fused) == {*dense, *lexical}


@settings(max_examples=40, deadline=None)
@given(runs, runs, weights)
def test_every_fusion_neither_loses_nor_invents_a_key(dense, lexical, weight):
    expected = {*dense, *lexical}
    assert set(reciprocal_rank([dense, lexical], rrf_k=60)) == expected
    assert set(convex(dense, lexical, dense_weight=weight)) == expected


def test_a_stretched_and_moved_dense_leg_changes_nothing():
    dense, lexical = {"a": 0.9, "b": 0.5, "c": 0.1}, {"c": 8.0, "d": 3.0}
    moved = {key: 0.3 * score + 0.6 for key, score in dense.items()}
    plain = standardised(dense, lexical, dense_weight=0.6)
    assert standardised(moved, lexical, dense_weight=0.6) == pytest.approx(plain, abs=1e-12)


def test_the_only_text_with_a_rare_word_comes_first():
    dense = {number: 0.5 - number / 1000 for number in range(100)}
    fused = standardised(dense, {"rare": 9.0}, dense_weight=0.6)
    assert max(fused, key=fused.__getitem__) == "rare"


def test_reciprocal_rank_adds_up_over_the_lists():
    first, second = {"a": 3.0, "b": 2.0, "c": 1.0}, {"c": 0.9, "a": 0.1}
    expected = {"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 63 + 1 / 61}
    assert reciprocal_rank([first, second], rrf_k=60) == pytest.approx(expected)


def test_convex_scales_each_list_between_its_ends():
    fused = convex({"a": 0.8, "b": 0.6, "c": 0.4}, {"b": 10.0, "d": 2.0}, dense_weight=0.25)
    assert fused == pytest.approx({"a": 0.25, "b": 0.25 * 0.5 + 0.75, "c": 0.0, "d": 0.0})


def test_lists_without_differences_and_empty_lists():
    assert scaled({"a": 2.0, "b": 2.0}) == {"a": 1.0, "b": 1.0}
    assert scaled({}) == {}
    assert standardised({"a": 0.3, "b": 0.3}, {}, dense_weight=0.6) == {"a": 0.0, "b": 0.0}
    assert standardised({}, {}, dense_weight=0.6) == {}
