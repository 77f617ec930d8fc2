"""How often are hits of a score right? A logistic curve through judged hits, for `SearchProfile.relevance`."""

from __future__ import annotations

from collections.abc import Sequence

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.profile import Logistic

STEPS = 50
RIDGE = 1e-9  # what a perfectly separated sample would need to have an end


def fit_curve(scores: Sequence[float], right: Sequence[bool], *, weights: Sequence[float] | None = None) -> Logistic:
    """The logistic curve of the highest likelihood (Platt 1999; by Newton's method).

    Args:
        scores: Of hits.
        right: Whether each was judged to answer its question.
        weights: What each counts; all the same by default.

    Raises:
        InvalidConfig: There are not both right hits and wrong ones.

    >>> curve = fit_curve([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [False, False, True, False, True, True])
    >>> round(curve.probability(0.35), 3)
    0.5
    """
    import numpy as np

    if len(set(map(bool, right))) < 2:
        raise InvalidConfig("all hits are judged alike; expected some right ones and some wrong ones to draw a curve")
    features = np.stack([np.asarray(scores, dtype=np.float64), np.ones(len(scores))], axis=1)
    labels = np.asarray(right, dtype=np.float64)
    share = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    found = np.zeros(2)
    for _ in range(STEPS):
        guess = 1.0 / (1.0 + np.exp(-features @ found))
        slope = features.T @ (share * (labels - guess))
        bend = (features * (share * guess * (1 - guess))[:, None]).T @ features + RIDGE * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found += step
        if np.abs(step).max() < 1e-10:
            break
    return Logistic(float(found[0]), float(found[1]))
