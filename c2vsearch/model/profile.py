"""What searching with a model was found to need: ``search.json`` of a model folder. It changes no vectors.

It is not part of the model's revision: an index stays valid when it changes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.model.truncation import unit_rows

PROFILE_FILE = "search.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Logistic:
    """A score as a probability: ``1 / (1 + exp(-(slope * score + intercept)))``.

    >>> round(Logistic(8.0, -4.0).probability(0.75), 3)
    0.881
    """

    slope: float
    intercept: float

    def probability(self, score: float) -> float:
        """From 0 to 1, higher for a higher score."""
        return 0.5 * (1.0 + math.tanh((self.slope * score + self.intercept) / 2))

    def score(self, probability: float) -> float:
        """The score of that probability, between 0 and 1: the inverse."""
        return (math.log(probability / (1 - probability)) - self.intercept) / self.slope


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProfile:
    """Settings that belong to a model and were measured with it.

    ``eos_weight`` is what the second half of a query counts beside keywords: of a model whose EOS says which words a
    text has, the keyword index says that better. ``relevance`` turns the score of a mode ("dense", "hybrid") into how
    often hits of that score were judged right.
    """

    eos_weight: float = 1.0
    relevance: Mapping[str, Logistic] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.eos_weight <= 1.0:
            raise InvalidConfig(f"eos_weight is {self.eos_weight}; expected from 0 to 1")
        for mode, curve in self.relevance.items():
            if not (math.isfinite(curve.slope) and math.isfinite(curve.intercept) and curve.slope > 0):
                raise InvalidConfig(f"relevance of {mode!r} is {curve}; expected finite numbers and a slope above 0")

    def beside_keywords(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """A query's unit vector for hybrid search, its EOS half weighed less. Shape: (D,) -> (D,).

        >>> SearchProfile(eos_weight=0.0).beside_keywords(np.float32([0.6, 0.8])).tolist()
        [1.0, 0.0]
        """
        if self.eos_weight == 1.0:
            return query
        weights = np.ones_like(query)
        weights[len(query) // 2 :] = self.eos_weight
        weighted: NDArray[np.float32] = unit_rows((query * weights)[None])[0]
        return weighted

    def to_json(self) -> str:
        """The text of ``search.json``."""
        curves = {mode: dataclasses.asdict(curve) for mode, curve in sorted(self.relevance.items())}
        return json.dumps({"format": FORMAT, "eos_weight": self.eos_weight, "relevance": curves}, indent=2) + "\n"


def read_profile(folder: Path) -> SearchProfile:
    """The profile of a model folder; the neutral one where there is none.

    Raises:
        CorruptFile: There is one that cannot be read.
    """
    path = folder / PROFILE_FILE
    if not path.is_file():
        return SearchProfile()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format is {data['format']}; this version reads {FORMAT}")
        curves = {mode: Logistic(**curve) for mode, curve in data["relevance"].items()}
        return SearchProfile(eos_weight=data["eos_weight"], relevance=curves)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidConfig) as error:
        raise CorruptFile(
            f"{path} cannot be read ({error}); expected the search profile of a model: remove it to search without"
        ) from error
