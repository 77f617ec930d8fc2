"""Modes of one index against the same judgements, measured by ``ir_measures``.

A document's score is that of its best chunk. A query without an answer counts as 0. Differences are tested on
the queries in pairs, by permutation; intervals are bootstrapped. Both are seeded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.optional import require
from c2vsearch.records import Hit
from c2vsearch.retriever import Retriever

MODES = ("dense", "bm25", "hybrid", "rerank")
MEASURES = ("nDCG@10", "R@100", "RR@10")
RESAMPLES = 2000
Run = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One mode: each measure for each query, in the order of ``queries``."""

    mode: str
    queries: tuple[str, ...]
    values: dict[str, tuple[float, ...]]

    def mean(self, measure: str) -> float:
        """The mean over all judged queries."""
        return sum(self.values[measure]) / len(self.queries)

    def interval(self, measure: str, *, share: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Bootstrap interval of the mean over queries."""
        import numpy as np

        values = np.array(self.values[measure])
        drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
        low, high = np.quantile(values[drawn].mean(axis=1), [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two modes differ in one measure: mean difference, and how often chance alone does as well."""

    first: str
    second: str
    measure: str
    difference: float
    p_value: float


def evaluate(
    retriever: Retriever,
    questions: Questions,
    *,
    modes: Sequence[str] = ("hybrid",),
    measures: Sequence[str] = MEASURES,
    depth: int = 100,
) -> list[Evaluation]:
    """Search every question in every mode and measure.

    Args:
        retriever: The index.
        questions: Queries and judgements; documents are named by their source.
        modes: Of "dense", "bm25", "hybrid", "rerank" (hybrid, reranked).
        measures: Names as ``ir_measures`` writes them.
        depth: Chunks a run holds for each query.

    Raises:
        InvalidConfig: An unknown mode or measure.
        MissingDependency: ``ir_measures`` is not installed.
    """
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise InvalidConfig(f"no mode {unknown[0]!r}; expected some of {', '.join(MODES)}")
    return [
        measure_run(mode, run_queries(retriever, questions.queries, mode, depth=depth), questions, measures)
        for mode in modes
    ]


def run_queries(retriever: Retriever, queries: Mapping[str, str], mode: str, *, depth: int) -> Run:
    """The documents found for each query, with the score of their best chunk.

    ``depth`` is that of the chunks, and the legs contribute what they do by default: with more, scores would be
    scaled over other lists and hits would not be in the order a search gives.
    """
    config = SearchConfig(
        k=depth, mode="hybrid" if mode == "rerank" else mode, rerank=mode == "rerank",  # type: ignore[arg-type]
    )  # fmt: skip
    names, texts = list(queries), list(queries.values())
    found = retriever.search_batch_with(texts, config, highlight=False)
    return {name: _documents(hits) for name, hits in zip(names, found, strict=True)}


def _documents(hits: Sequence[Hit]) -> dict[str, float]:
    best: dict[str, float] = {}
    for hit in hits:  # best first; ranks, because scores of different stages do not compare
        best.setdefault(hit.source, 1.0 / hit.rank)
    return best


def measure_run(mode: str, run: Run, questions: Questions, measures: Sequence[str]) -> Evaluation:
    """Measure one run; the judged queries it lacks count as 0."""
    library = require("ir_measures", extra="eval", purpose="measuring search quality")
    try:
        parsed = {name: library.parse_measure(name) for name in measures}
    except (NameError, ValueError, SyntaxError) as error:
        raise InvalidConfig(f"{error}; expected measures such as {', '.join(MEASURES)}") from error
    names = {str(measure): name for name, measure in parsed.items()}
    found: dict[str, dict[str, float]] = {name: {} for name in measures}
    for metric in library.iter_calc(list(parsed.values()), questions.qrels, run):
        found[names[str(metric.measure)]][metric.query_id] = metric.value
    order = tuple(questions.queries)
    return Evaluation(mode, order, {name: tuple(found[name].get(query, 0.0) for query in order) for name in measures})


def compare(first: Evaluation, second: Evaluation, measure: str, *, seed: int = 0) -> Comparison:
    """Two-sided paired permutation test: signs of the differences are flipped at random."""
    import numpy as np

    differences = np.array(first.values[measure]) - np.array(second.values[measure])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES, len(differences)))
    extreme = np.abs((signs * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12
    p_value = (1 + int(extreme.sum())) / (RESAMPLES + 1)
    return Comparison(first.mode, second.mode, measure, float(differences.mean()), p_value)
