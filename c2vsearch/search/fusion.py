"""Several ranked lists made one. Pure functions on scores by key: no new keys, none lost."""

from __future__ import annotations

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


def convex(dense: Scores[Key], lexical: Scores[Key], *, dense_weight: float) -> dict[Key, float]:
    """``w * dense + (1 - w) * lexical`` after scaling each list to [0, 1] (Bruch et al., TOIS 2023).

    A list is scaled between its lowest and highest score; a key it lacks counts as its lowest. Unlike ranks,
    scores keep how far apart two neighbours are, so a leg that is sure of its first answer is heard.

    >>> convex({"a": 0.9, "b": 0.5}, {"b": 12.0, "c": 6.0}, dense_weight=0.5)
    {'a': 0.5, 'b': 0.5, 'c': 0.0}
    """
    scaled_dense, scaled_lexical = _scaled(dense), _scaled(lexical)
    keys = dict.fromkeys([*dense, *lexical])
    return {
        key: dense_weight * scaled_dense.get(key, 0.0) + (1 - dense_weight) * scaled_lexical.get(key, 0.0)
        for key in keys
    }


def _scaled(scores: Scores[Key]) -> dict[Key, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
