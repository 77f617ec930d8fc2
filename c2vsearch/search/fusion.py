"""Several ranked lists made one. Pure functions on scores by key: no new keys, none lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")
Scores = Mapping[Key, float]


def reciprocal_rank(runs: Sequence[Scores[Key]], *, rrf_k: int) -> dict[Key, float]:
    """Sum of ``1 / (rrf_k + rank)`` over the lists a key is in (Cormack et al., SIGIR 2009).

    >>> reciprocal_rank([{"a": 9.0, "b": 1.0}, {"b": 0.2}], rrf_k=60)
    {'a': 0.01639344262295082, 'b': 0.03252247488101534}
    """
    fused: dict[Key, float] = {}
    for run in runs:
        for rank, key in enumerate(sorted(run, key=lambda key: -run[key]), start=1):
            fused[key] = fused.get(key, 0.0) + 1.0 / (rrf_k + rank)
    return fused


def standardised(dense: Scores[Key], lexical: Scores[Key], *, dense_weight: float) -> dict[Key, float]:
    """``w * dense + (1 - w) * lexical``, each in standard deviations from its mean over all the keys.

    A key the dense list lacks counts as its lowest. A key the lexical list lacks counts as 0, the BM25 score of a
    text with none of the words: so one text alone with a rare word stands far above the rest and is heard.
    Moving or stretching all scores of a leg changes nothing in the dense one, so the weight holds for encoders
    whose cosines lie closer together.

    >>> fused = standardised({"a": 0.9, "b": 0.5, "c": 0.1}, {"c": 8.0}, dense_weight=0.5)
    >>> {key: round(score, 3) for key, score in fused.items()}
    {'a': 0.259, 'b': -0.354, 'c': 0.095}
    """
    keys = list(dict.fromkeys([*dense, *lexical]))
    lowest = min(dense.values(), default=0.0)
    near = _deviations([dense.get(key, lowest) for key in keys])
    wordy = _deviations([lexical.get(key, 0.0) for key in keys])
    return {key: dense_weight * a + (1 - dense_weight) * b for key, a, b in zip(keys, near, wordy, strict=True)}


def _deviations(values: Sequence[float]) -> list[float]:
    if not values or max(values) == min(values):
        return [0.0] * len(values)
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / spread for value in values]


def convex(dense: Scores[Key], lexical: Scores[Key], *, dense_weight: float) -> dict[Key, float]:
    """``w * dense + (1 - w) * lexical`` after scaling each list to [0, 1] (Bruch et al., TOIS 2023).

    A list is scaled between its lowest and highest score; a key it lacks counts as its lowest. Unlike ranks,
    scores keep how far apart two neighbours are, so a leg that is sure of its first answer is heard.

    >>> convex({"a": 0.9, "b": 0.5}, {"b": 12.0, "c": 6.0}, dense_weight=0.5)
    {'a': 0.5, 'b': 0.5, 'c': 0.0}
    """
    scaled_dense, scaled_lexical = scaled(dense), scaled(lexical)
    keys = dict.fromkeys([*dense, *lexical])
    return {
        key: dense_weight * scaled_dense.get(key, 0.0) + (1 - dense_weight) * scaled_lexical.get(key, 0.0)
        for key in keys
    }


def scaled(scores: Scores[Key]) -> dict[Key, float]:
    """Scores moved to [0, 1], lowest to highest; 1 when all are equal.

    >>> scaled({"a": 6.0, "b": 3.0, "c": 2.0})
    {'a': 1.0, 'b': 0.25, 'c': 0.0}
    """
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
