import itertools

import numpy as np
import pytest
from ablations.table import difference, interval, markdown, p_value, score, scores_of, summary


def runs(values: dict[str, list[list[float]]]) -> list[dict]:
    seeds = len(next(iter(values.values())))
    return [{"seed": seed, "nDCG@10": {name: rows[seed] for name, rows in values.items()}} for seed in range(seeds)]


def random_runs(shift: float, *, seeds: int = 3) -> list[dict]:
    generator = np.random.default_rng(5)
    base = {"one": generator.random(40), "two": generator.random(7)}
    noise = np.random.default_rng(6)
    return runs(
        {name: [list(row + shift + 0.05 * noise.random(len(row))) for _ in range(seeds)] for name, row in base.items()}
    )


def test_runs_are_ordered_by_seed() -> None:
    ordered = runs({"one": [[0.1], [0.2], [0.3]]})
    assert scores_of(ordered[::-1])["one"].tolist() == [[0.1], [0.2], [0.3]]


def test_a_score_weighs_sets_alike_whatever_their_size() -> None:
    values = scores_of(random_runs(0.0))
    assert score(values) == pytest.approx((values["one"].mean() + values["two"].mean()) / 2)


def test_an_interval_over_queries_is_as_wide_as_the_normal_one() -> None:
    values = {"one": np.random.default_rng(1).random((1, 400))}
    low, high = interval(values)
    error = values["one"].std() / 400**0.5
    assert (low, high) == pytest.approx((score(values) - 1.96 * error, score(values) + 1.96 * error), abs=0.25 * error)


def test_seeds_widen_an_interval() -> None:
    same = {"one": np.full((3, 50), 0.5)}
    seeds = {"one": np.array([[0.4] * 50, [0.5] * 50, [0.6] * 50])}
    assert interval(same) == (0.5, 0.5)
    low, high = interval(seeds)
    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)


def test_p_values_equal_those_of_every_sign() -> None:
    values = {"one": np.array([[0.3, 0.2, 0.1, -0.05, 0.2]]), "two": np.array([[0.1, -0.3, 0.25]])}
    observed = abs(score(values))
    signs = itertools.product([-1, 1], repeat=8)
    means = [
        abs(np.mean([(np.array(flip[:5]) * values["one"]).mean(), (np.array(flip[5:]) * values["two"]).mean()]))
        for flip in signs
    ]
    exact = np.mean([mean >= observed - 1e-12 for mean in means])
    assert p_value(values) == pytest.approx(exact, abs=0.03)


def test_a_baseline_is_compared_on_the_seeds_both_have() -> None:
    better, worse = random_runs(0.2), random_runs(0.0, seeds=1)
    rows = summary({"a": better, "b": worse}, baseline="a")
    pairs = difference(scores_of(better), scores_of(worse))
    assert {name: part.shape for name, part in pairs.items()} == {"one": (1, 40), "two": (1, 7)}
    assert rows["b"]["baseline_minus_this"] == pytest.approx(score(pairs))
    assert rows["b"]["p"] < 0.01
    assert rows["b"]["difference_interval"][0] > 0.1
    assert "p" not in rows["a"]


def test_the_table_says_what_the_summary_says() -> None:
    rows = summary({"a": random_runs(0.2), "last": random_runs(0.0)}, baseline="a")
    cost = {"decoder_tokens": 10, "encoder_tokens": 0, "flops": 2e6, "seconds": 0.5, "parameters_trained": 3e6}
    text = markdown(rows, {"a": "A", "last": "B"}, {"a": {**cost, "flops": 5e6}, "last": cost})
    assert f"**{rows['a']['score']:.3f}**" in text
    assert "| A | 10 | 0 | 5 | 2.50 | 500.00 | 1.00 | 3.00 M |" in text
