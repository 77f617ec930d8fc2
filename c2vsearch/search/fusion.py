"""Several ranked lists made one. Pure functions on scores by key: no new keys, none lost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from c2vsearch.config import Fusion

Key = TypeVar("Key")
Scores = Mapping[Key, float]

# Chosen with the weight over evaluation sets together: docs/benchmarks.md.
USUAL_WORDS = 5
MOST_WEIGHT = 3.0  # times the weight, for the longest queries, and for names
LEAST_SHARE, MOST_SHARE, MANY_WORDS = 0.6, 0.9, 10
RRF_K = 60
EVEN = 0.5  # the share of each leg where nothing was chosen


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


def weighted(
    dense: Scores[Key], lexical: Scores[Key], *, lexical_weight: float, words: int, ceiling: float, lookup: bool = False
) -> dict[Key, float]:
    """``(cosine + w * lexical**2) / (1 + w)``, the lexical score scaled by the query's own measure.

    BM25 scores have no fixed range. Dividing by the best of the list makes a list of poor matches look as sure as
    one of good ones; dividing by the ceiling, what a text holding every word of the query many times would get, makes
    all matches of a long query look poor. A weighted geometric mean of the two is used, for a short query, which a text
    can have whole, with more of the ceiling. A text that matches half as well as the best is far less than half as
    likely an answer: hence the square. And the more words a query has, the more a match of its words says: w grows with
    their number. Who looks up a name means that word: it is worth as much as a long query. Nothing depends on how many
    candidates there are, and cosines stay what they are (compare Bruch et al., TOIS 2023, on convex combinations).

    Args:
        dense: The cosine of every candidate of either leg.
        lexical: BM25 scores; a key it lacks counts as 0.
        lexical_weight: What a full lexical score for a query of `USUAL_WORDS` words is worth, in cosine.
        words: Words of the query that are looked up, each as often as it stands there.
        ceiling: The most BM25 could give for this query.
        lookup: Whether the query only names something.

    >>> weighted({"a": 0.9, "b": 0.5}, {"b": 1.0}, lexical_weight=0.25, words=5, ceiling=1.0)
    {'a': 0.72, 'b': 0.6}
    """
    weight = lexical_weight * (MOST_WEIGHT if lookup else min(words / USUAL_WORDS, MOST_WEIGHT))
    best = max(lexical.values(), default=0.0)
    share = LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * min(words / MANY_WORDS, 1.0)
    scale = best**share * max(ceiling, best) ** (1 - share) or 1.0
    return {key: (score + weight * (lexical.get(key, 0.0) / scale) ** 2) / (1 + weight) for key, score in dense.items()}


def average(runs: Sequence[Scores[Key]]) -> dict[Key, float]:
    """The mean score over lists of one scale, such as those of several phrasings of a question (CombSUM, Fox & Shaw
    1994; for formulations of a query Belkin et al., IPM 1995). A key that a list lacks counts as its lowest; a list
    with nothing in it says nothing.

    >>> average([{"a": 0.75, "b": 0.5}, {"b": 0.25, "c": 0.125}, {}])
    {'a': 0.4375, 'b': 0.375, 'c': 0.3125}
    """
    told = [(run, min(run.values())) for run in runs if run]
    keys = dict.fromkeys(key for run, _ in told for key in run)
    return {key: sum(run.get(key, lowest) for run, lowest in told) / len(told) for key in keys}


def scaled(scores: Scores[Key]) -> dict[Key, float]:
    """Scores moved to [0, 1], lowest to highest; 1 when all are equal.

    >>> scaled({"a": 6.0, "b": 3.0, "c": 2.0})
    {'a': 1.0, 'b': 0.25, 'c': 0.0}
    """
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}


def standardized(scores: Scores[Key]) -> dict[Key, float]:
    """Scores less their mean, in standard deviations; 0 when all are equal.

    >>> standardized({"a": 3.0, "b": 1.0})
    {'a': 1.0, 'b': -1.0}
    """
    mean = statistics.fmean(scores.values()) if scores else 0.0
    deviation = statistics.pstdev(scores.values(), mean) if scores else 0.0
    return {key: (score - mean) / deviation if deviation else 0.0 for key, score in scores.items()}


def convex(
    first: Scores[Key], second: Scores[Key], *, weight: float, scale: Callable[[Scores[Key]], dict[Key, float]] = scaled
) -> dict[Key, float]:
    """``w * first + (1 - w) * second`` after scaling each list, by default to [0, 1] from its lowest to its highest.

    A key that a list lacks counts as its lowest.

    >>> convex({"a": 0.9, "b": 0.5}, {"b": 12.0, "c": 6.0}, weight=0.5)
    {'a': 0.5, 'b': 0.5, 'c': 0.0}
    """
    lists = [(scale(first), weight), (scale(second), 1 - weight)]
    lowest = [min(scores.values(), default=0.0) for scores, _ in lists]
    return {
        key: sum(share * scores.get(key, low) for (scores, share), low in zip(lists, lowest, strict=True))
        for key in dict.fromkeys([*first, *second])
    }


def combined(dense: Scores[Key], lexical: Scores[Key], fusion: Fusion) -> dict[Key, float]:
    """The two legs by one of the usual fusions, each leg counting as much as the other.

    >>> combined({"a": 0.9, "b": 0.5}, {"b": 12.0, "c": 6.0}, "minmax")
    {'a': 0.5, 'b': 0.5, 'c': 0.0}
    """
    if fusion == "rrf":
        return reciprocal_rank([dense, lexical], rrf_k=RRF_K)
    return convex(dense, lexical, weight=EVEN, scale=standardized if fusion == "zscore" else scaled)
