"""A floor under a measure, for CI: ``nDCG@10=0.6``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Threshold:
    """The mean of a measure has to reach ``least``."""

    measure: str
    least: float

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """Read ``MEASURE=NUMBER``; the measure's name may have a ``=`` of its own.

        Raises:
            InvalidConfig: It is not of that form.

        >>> Threshold.parse("P(rel=2)@5=0.3")
        Threshold(measure='P(rel=2)@5', least=0.3)
        >>> Threshold.parse("nDCG@10")
        Traceback (most recent call last):
        ...
        c2vsearch.errors.InvalidConfig: the least value is 'nDCG@10'; expected MEASURE=NUMBER, such as nDCG@10=0.6
        """
        measure, _, number = text.rpartition("=")
        try:
            least = float(number)
        except ValueError:
            least = math.nan
        if not measure.strip() or not math.isfinite(least):
            raise InvalidConfig(f"the least value is {text!r}; expected MEASURE=NUMBER, such as nDCG@10=0.6")
        return cls(measure.strip(), least)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A mean below its threshold."""

    model: str
    mode: str
    threshold: Threshold
    mean: float

    def __str__(self) -> str:
        """One line with everything in it."""
        of = f"{self.model} in mode {self.mode}" if self.model else f"mode {self.mode}"
        # As many digits as tell the two apart: 0.59996 is not "0.6000, expected at least 0.6".
        digits = 4
        while digits < 16 and round(self.mean, digits) >= self.threshold.least:
            digits += 1
        return f"{self.threshold.measure} of {of} is {self.mean:.{digits}f}; expected at least {self.threshold.least:g}"


def shortfalls(evaluations: Sequence[Evaluation], thresholds: Sequence[Threshold]) -> list[Shortfall]:
    """Every mean that is below a threshold; each threshold holds for every evaluation.

    >>> found = Evaluation("dense", ("1", "2"), {"RR": (1.0, 0.0)}, "c2v-mini")
    >>> str(*shortfalls([found], [Threshold("RR", 0.6)]))
    'RR of c2v-mini in mode dense is 0.5000; expected at least 0.6'
    """
    return [
        Shortfall(evaluation.model, evaluation.mode, threshold, mean)
        for evaluation in evaluations
        for threshold in thresholds
        if (mean := evaluation.mean(threshold.measure)) < threshold.least
    ]
