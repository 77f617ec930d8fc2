"""From the results of the runs to one table: means, intervals, paired tests, costs.

A score is the mean over the sets of the mean over a set's queries. Intervals resample queries within each set and
seeds. Tests flip the signs of the differences of queries (averaged over the seeds) at random; p-values are Holm's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
Scores = dict[str, NDArray[np.float64]]  # per set, Shape: (seeds, queries)


def scores_of(runs: Sequence[dict[str, Any]]) -> Scores:
    """The runs of one variant, in the order of their seeds."""
    ordered = sorted(runs, key=lambda run: run["seed"])
    return {name: np.array([run["nDCG@10"][name] for run in ordered]) for name in ordered[0]["nDCG@10"]}


def score(scores: Scores) -> float:
    """Mean over sets of the mean over seeds and queries.

    >>> score({"one": np.array([[0.0, 1.0]]), "two": np.array([[1.0]])})
    0.75
    """
    return float(np.mean([values.mean() for values in scores.values()]))


def interval(scores: Scores, *, share: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Bootstrap interval of the score over queries and seeds together."""
    generator = np.random.default_rng(seed)
    seeds = len(next(iter(scores.values())))
    means = np.zeros(RESAMPLES)
    for number in range(RESAMPLES):
        rows = generator.integers(0, seeds, seeds)
        parts = [
            values[rows][:, generator.integers(0, values.shape[1], values.shape[1])].mean()
            for values in scores.values()
        ]
        means[number] = np.mean(parts)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def difference(first: Scores, second: Scores) -> Scores:
    """Query by query and seed by seed; over the seeds that both have."""
    return {name: first[name][: len(second[name])] - second[name][: len(first[name])] for name in first}


def p_value(differences: Scores, *, seed: int = 0) -> float:
    """Two-sided: how often random signs give a score at least as far from zero."""
    generator = np.random.default_rng(seed)
    flipped = np.zeros(RESAMPLES)
    for values in differences.values():
        per_query = values.mean(axis=0)
        flipped += (generator.choice([-1.0, 1.0], (RESAMPLES, len(per_query))) * per_query).mean(axis=1)
    observed = abs(score(differences)) * len(differences)
    return float(1 + (np.abs(flipped) >= observed - 1e-12).sum()) / (RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the smallest times their number, the next times one less, never falling.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def summary(results: dict[str, list[dict[str, Any]]], *, baseline: str) -> dict[str, dict[str, Any]]:
    """For every variant its scores, and how the baseline differs from it on the seeds both have."""
    scores = {name: scores_of(runs) for name, runs in results.items() if runs}
    rows: dict[str, dict[str, Any]] = {}
    for name, values in scores.items():
        rows[name] = {
            "seeds": len(next(iter(values.values()))),
            "score": score(values),
            "interval": interval(values),
            "per_seed": [float(np.mean(seed)) for seed in zip(*[v.mean(axis=1) for v in values.values()], strict=True)],
            "sets": {one: float(part.mean()) for one, part in values.items()},
        }
    others = [name for name in scores if name != baseline and baseline in scores]
    differences = [difference(scores[baseline], scores[name]) for name in others]
    adjusted = holm([p_value(part) for part in differences])
    for name, part, p in zip(others, differences, adjusted, strict=True):
        rows[name] |= {"baseline_minus_this": score(part), "difference_interval": interval(part), "p": p}
    return rows


def markdown(rows: dict[str, dict[str, Any]], labels: dict[str, str], costs: dict[str, dict[str, float]]) -> str:
    """Quality and cost of every variant as two tables."""
    sets = list(next(iter(rows.values()))["sets"])
    head = ["variant", "seeds", *sets, "mean", "95 %", "(a) minus this", "95 %", "p"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [labels[name], str(row["seeds"]), *(f"{row['sets'][one]:.3f}" for one in sets)]
        cells += [f"**{row['score']:.3f}**", "{:.3f} to {:.3f}".format(*row["interval"])]
        if "p" in row:
            cells += [f"{row['baseline_minus_this']:+.3f}", "{:+.3f} to {:+.3f}".format(*row["difference_interval"])]
            cells += [f"{row['p']:.4f}"]
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_cost_lines(labels, costs)])


def _cost_lines(labels: dict[str, str], costs: dict[str, dict[str, float]]) -> list[str]:
    head = ["variant", "decoder tokens", "encoder tokens", "MFLOP", "of (b)", "ms", "of (b)", "parameters trained"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, cost in costs.items():
        base = costs["last"]
        cells = [labels[name], f"{cost['decoder_tokens']:.0f}", f"{cost['encoder_tokens']:.0f}"]
        cells += [f"{cost['flops'] / 1e6:.0f}", f"{cost['flops'] / base['flops']:.2f}"]
        cells += [f"{cost['seconds'] * 1e3:.2f}", f"{cost['seconds'] / base['seconds']:.2f}"]
        cells += [f"{cost['parameters_trained'] / 1e6:.2f} M"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines
