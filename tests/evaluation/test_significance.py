"""Holm's correction by hand and against its definition; comparisons of several rows at once."""

from __future__ import annotations

import numpy as np
import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation import Evaluation, compare, compare_all, holm


def evaluation(mode: str, values: list[float], model: str = "m") -> Evaluation:
    return Evaluation(mode, tuple(map(str, range(len(values)))), {"nDCG@10": tuple(values)}, model)


def test_holm_by_hand() -> None:
    # The example of the step-down procedure: 4 * .005, 3 * .01, 2 * .03, then what cannot fall.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.5]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_holm_rejects_what_its_definition_rejects() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        p_values = (rng.random(6) ** 3).tolist()
        alpha = float(rng.random() * 0.2)
        order = np.argsort(p_values)
        rejected = set()
        for rank, index in enumerate(order):
            if p_values[index] > alpha / (6 - rank):
                break
            rejected.add(int(index))
        assert {index for index, value in enumerate(holm(p_values)) if value <= alpha} == rejected


def test_the_first_is_compared_with_each_of_the_others() -> None:
    rng = np.random.default_rng(2)
    first = evaluation("dense", rng.random(30).tolist())
    others = [evaluation("hybrid", (np.array(first.values["nDCG@10"]) - shift).tolist()) for shift in (0.2, 0.0)]
    found = compare_all([first, *others], "nDCG@10")
    assert [(each.first, each.second) for each in found] == [("m dense", "m hybrid")] * 2
    assert [each.p_value for each in found] == [compare(first, other, "nDCG@10").p_value for other in others]
    assert [each.adjusted for each in found] == holm([each.p_value for each in found])
    assert found[0].difference == pytest.approx(0.2)
    assert found[0].adjusted == pytest.approx(2 / 2001)
    assert compare_all([first], "nDCG@10") == []


def test_different_queries_are_not_compared() -> None:
    with pytest.raises(InvalidConfig, match="m a and m b answer different queries"):
        compare(evaluation("a", [0.1]), evaluation("b", [0.1, 0.2]), "nDCG@10")
