"""Where a mean comes from: measures by the depth of the list, and by the length of the documents that answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.evaluation.evaluate import Evaluation, parse_measures, per_query
from c2vsearch.retriever import Retriever

DEPTHS = tuple(range(1, 101))
BANDS = 5


@dataclass(frozen=True, slots=True)
class LengthBand:
    """A measure for the answers of some lengths: ``shortest`` to ``longest`` characters, both included."""

    shortest: int
    longest: int
    answers: int
    queries: int
    mean: float


def by_depth(
    evaluation: Evaluation, questions: Questions, measure: str = "nDCG", *, depths: Sequence[int] = DEPTHS
) -> list[float]:
    """The mean of a measure with each cutoff: ``nDCG@1``, ``nDCG@2``, ... A run is as deep as it was measured."""
    names = [f"{measure}@{depth}" for depth in depths]
    values = per_query(evaluation.run, questions.qrels, parse_measures(names))
    return [sum(values[name].values()) / len(evaluation.queries) for name in names]


def by_length(
    evaluation: Evaluation, questions: Questions, lengths: Mapping[str, int], measure: str = "nDCG@10", *,
    bands: int = BANDS,
) -> list[LengthBand]:  # fmt: skip
    """A measure for documents of each length, shortest first.

    Each band counts the queries that have an answer of these lengths, and for those only these answers; the query's
    other answers are taken out of the list, so that they are neither right nor wrong there.

    Args:
        evaluation: What was found.
        questions: What had to be found.
        lengths: Characters of each document.
        measure: As ``ir_measures`` writes it.
        bands: How many, each with about as many answers as the others; fewer where many are of one length.
    """
    parsed = parse_measures([measure])
    found = []
    for shortest, longest in length_bands([*_answer_lengths(questions, lengths)], bands=bands):
        inside = {name for name, length in lengths.items() if shortest <= length <= longest}
        qrels = {
            query: kept
            for query, answers in questions.qrels.items()
            if (kept := {name: relevance for name, relevance in answers.items() if name in inside})
        }
        run = {
            query: {
                name: score
                for name, score in evaluation.run.get(query, {}).items()
                if name in kept or name not in questions.qrels[query]
            }
            for query, kept in qrels.items()
        }
        values = per_query(run, qrels, parsed)[measure]
        mean = sum(values.get(query, 0.0) for query in qrels) / len(qrels)
        found.append(LengthBand(shortest, longest, sum(map(len, qrels.values())), len(qrels), mean))
    return found


def length_bands(lengths: Sequence[int], *, bands: int = BANDS) -> list[tuple[int, int]]:
    """Spans of lengths, both ends included, with about as many of the lengths in each.

    >>> length_bands([10, 20, 30, 40, 50, 60], bands=3)
    [(10, 20), (30, 40), (50, 60)]
    >>> length_bands([10, 10, 10, 10, 50, 60], bands=3)
    [(10, 10), (50, 60)]
    """
    if bands < 1:
        raise InvalidConfig(f"bands is {bands}; expected at least 1")
    ordered = sorted(lengths)
    spans: list[tuple[int, int]] = []
    for number in range(bands):
        part = ordered[len(ordered) * number // bands : len(ordered) * (number + 1) // bands]
        if spans:
            part = [length for length in part if length > spans[-1][1]]
        if part:
            spans.append((part[0], part[-1]))
    return spans


def document_lengths(retriever: Retriever) -> dict[str, int]:
    """Characters of each document of an index, by its source."""
    lengths: dict[str, int] = {}
    for chunk in retriever.collection.iter_chunks():
        lengths[chunk.source] = max(lengths.get(chunk.source, 0), chunk.end)
    return lengths


def _answer_lengths(questions: Questions, lengths: Mapping[str, int]) -> list[int]:
    """The lengths of all answers that there are; judgements may name documents that the corpus lacks."""
    return [lengths[name] for answers in questions.qrels.values() for name in answers if name in lengths]
