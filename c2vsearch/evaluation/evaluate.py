"""Modes of one index against the same judgements, measured by ``ir_measures``.

A document's score is that of its best chunk. A query without an answer counts as 0. Intervals are bootstrapped with
a seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from c2vsearch.config import Rerank, SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.optional import require
from c2vsearch.records import Hit
from c2vsearch.retriever import Retriever

MODES = ("dense", "bm25", "fused", "hybrid", "rerank")
# Hybrid search without a second look, as it is, and with one whatever it takes.
HYBRID: dict[str, Rerank] = {"fused": False, "hybrid": SearchConfig.rerank, "rerank": True}
MEASURES = ("nDCG@10", "R@100", "RR@10")
DEPTH = 100
RESAMPLES = 2000
Run = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One mode of one model: each measure for each query, in the order of ``queries``, and the run they are of."""

    mode: str
    queries: tuple[str, ...]
    values: dict[str, tuple[float, ...]]
    model: str = ""
    run: Run = field(default_factory=dict, repr=False, compare=False)

    @property
    def label(self) -> str:
        """Model and mode in one line."""
        return f"{self.model} {self.mode}".strip()

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


def evaluate(
    retriever: Retriever, questions: Questions, *, modes: Sequence[str] = ("hybrid",),
    measures: Sequence[str] = MEASURES, depth: int = DEPTH, instruction: str | None = None, model: str | None = None,
) -> list[Evaluation]:  # fmt: skip
    """Search every question in every mode and measure.

    Args:
        retriever: The index.
        questions: Queries and judgements; documents are named by their source.
        modes: Of "dense", "bm25", "hybrid", "fused" (hybrid without a second look), "rerank" (hybrid, always with one).
        measures: Names as ``ir_measures`` writes them.
        depth: Chunks a run holds for each query; more than the default for measures deep in the run when documents
            have many chunks.
        instruction: What the search is for; the task of the index by default, else the model's.
        model: What the evaluations call the model; its name by default.

    Raises:
        InvalidConfig: An unknown mode or measure.
        MissingDependency: ``ir_measures`` is not installed.
    """
    check_modes(modes)
    parse_measures(measures)
    name = retriever.collection.manifest.fingerprint.name if model is None else model
    runs = {
        mode: run_queries(retriever, questions.queries, mode, depth=depth, instruction=instruction) for mode in modes
    }
    return [measure_run(mode, run, questions, measures, model=name) for mode, run in runs.items()]


def check_modes(modes: Sequence[str]) -> None:
    """Refuse an unknown mode.

    >>> check_modes(["dense", "magic"])
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: no mode 'magic'; expected some of dense, bm25, fused, hybrid, rerank
    """
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise InvalidConfig(f"no mode {unknown[0]!r}; expected some of {', '.join(MODES)}")


def run_queries(
    retriever: Retriever, queries: Mapping[str, str], mode: str, *, depth: int, instruction: str | None = None
) -> Run:
    """The documents found for each query, with the score of their best chunk.

    ``depth`` is that of the chunks, and the legs contribute what they do by default: with more, scores would be
    scaled over other lists and hits would not be in the order a search gives.
    """
    leg = "hybrid" if mode in HYBRID else mode
    config = SearchConfig(k=depth, mode=leg, rerank=HYBRID.get(mode, False))  # type: ignore[arg-type]
    return run_with(retriever, queries, config, instruction=instruction)


def run_with(
    retriever: Retriever, queries: Mapping[str, str], config: SearchConfig, *, instruction: str | None = None
) -> Run:
    """The documents found for each query with any settings, as deep as their ``k``.

    Queries are plain text, because questions of a set were not written for this tool. Repetitions are kept, because
    judgements are of documents, and one that repeats another has its own.
    """
    config = dataclasses.replace(config, operators=False, collapse=False)
    names, texts = list(queries), list(queries.values())
    found = retriever.search_batch_with(texts, config, instruction=instruction, highlight=False)
    return {name: _documents(hits) for name, hits in zip(names, found, strict=True)}


def _documents(hits: Sequence[Hit]) -> dict[str, float]:
    best: dict[str, float] = {}
    for hit in hits:  # best first; ranks, because scores of different stages do not compare
        best.setdefault(hit.source, 1.0 / hit.rank)
    return best


def parse_measures(measures: Sequence[str]) -> dict[str, Any]:
    """Measures of ``ir_measures`` by the names they were given.

    Raises:
        InvalidConfig: There is no such measure.
        MissingDependency: ``ir_measures`` is not installed.
    """
    library = require("ir_measures", extra="eval", purpose="measuring search quality")
    try:
        return {name: library.parse_measure(name) for name in measures}
    except (NameError, ValueError, SyntaxError, TypeError) as error:
        raise InvalidConfig(f"{error}; expected measures such as {', '.join(MEASURES)}") from error


def measure_run(mode: str, run: Run, questions: Questions, measures: Sequence[str], *, model: str = "") -> Evaluation:
    """Measure one run; the judged queries it lacks count as 0."""
    parsed = parse_measures(measures)
    if questions.own_ids:
        run = {query: {name: score for name, score in found.items() if name != query} for query, found in run.items()}
    values = per_query(run, questions.qrels, parsed)
    order = tuple(questions.queries)
    table = {name: tuple(values[name].get(query, 0.0) for query in order) for name in measures}
    return Evaluation(mode, order, table, model, run)


def per_query(
    run: Run, qrels: Mapping[str, Mapping[str, int]], parsed: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Each parsed measure for each query of a run, by the names the measures were given."""
    library = require("ir_measures", extra="eval", purpose="measuring search quality")
    names: dict[str, list[str]] = {}
    for name, measure in parsed.items():
        names.setdefault(str(measure), []).append(name)
    found: dict[str, dict[str, float]] = {name: {} for name in parsed}
    for metric in library.iter_calc(list(parsed.values()), qrels, run):
        for name in names[str(metric.measure)]:
            found[name][metric.query_id] = metric.value
    return found
