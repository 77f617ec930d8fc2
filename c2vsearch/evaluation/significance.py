"""Is a difference more than chance? Paired permutation tests on the queries, with Holm's correction for several.

Sign flips under the null hypothesis: Fisher's randomisation test, as Smucker, Allan and Carterette (CIKM 2007) advise
for retrieval. Holm's step-down procedure (1979) bounds the chance of any false finding among all comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.evaluate import RESAMPLES, Evaluation


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two evaluations differ in one measure: mean difference, and how often chance alone does as well.

    ``adjusted`` is the p-value that stands among all comparisons made together; alone, it is the p-value itself.
    """

    first: str
    second: str
    measure: str
    difference: float
    p_value: float
    adjusted: float


def compare(first: Evaluation, second: Evaluation, measure: str, *, seed: int = 0) -> Comparison:
    """Two-sided paired permutation test: signs of the differences are flipped at random.

    Raises:
        InvalidConfig: They are not of the same queries.
    """
    import numpy as np

    if first.queries != second.queries:
        raise InvalidConfig(f"{first.label} and {second.label} answer different queries; expected the same, in order")
    differences = np.array(first.values[measure]) - np.array(second.values[measure])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES, len(differences)))
    extreme = np.abs((signs * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12
    p_value = (1 + int(extreme.sum())) / (RESAMPLES + 1)
    return Comparison(first.label, second.label, measure, float(differences.mean()), p_value, p_value)


def compare_all(evaluations: Sequence[Evaluation], measure: str, *, seed: int = 0) -> list[Comparison]:
    """The first evaluation against each of the others, with adjusted p-values."""
    found = [compare(evaluations[0], other, measure, seed=seed) for other in evaluations[1:]]
    adjusted = holm([comparison.p_value for comparison in found])
    return [replace(comparison, adjusted=value) for comparison, value in zip(found, adjusted, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: the smallest times their number, the next times one less, never falling, at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
