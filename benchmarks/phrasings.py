"""A question in two phrasings: how are their lists made one? nDCG@10 on the sample corpora.

    python benchmarks/phrasings.py

Each question of the sample corpora has a second phrasing, written by hand without looking at what it finds
(tests/quality/phrasings.jsonl). Documents count by their best chunk.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench import ROOT, SAMPLES, report

from c2vsearch import Retriever, index_directory, load_encoder
from c2vsearch.config import SearchConfig
from c2vsearch.evaluation import read_questions
from c2vsearch.evaluation.evaluate import Evaluation, measure_run
from c2vsearch.evaluation.significance import compare
from c2vsearch.search.fusion import average, reciprocal_rank

PHRASINGS = ROOT / "tests" / "quality" / "phrasings.jsonl"
Scores = Mapping[str, float]


def highest(runs: list[Scores]) -> dict[str, float]:
    """The higher score of each (CombMAX)."""
    return {key: max(run[key] for run in runs if key in run) for key in {key for run in runs for key in run}}


WAYS: dict[str, Callable[[list[Scores]], Scores]] = {
    "the question alone": lambda runs: runs[0],
    "the other phrasing alone": lambda runs: runs[1],
    "mean": average,
    "highest": highest,
    "RRF, k = 60": partial(reciprocal_rank, rrf_k=60),
    "RRF, k = 10": partial(reciprocal_rank, rrf_k=10),
}


def p_value(first: list[float], second: list[float]) -> float:
    """That of a paired permutation test."""
    names = tuple(map(str, range(len(first))))
    pair = (Evaluation("", names, {"nDCG@10": tuple(values)}) for values in (first, second))
    return compare(*pair, "nDCG@10").p_value


def main() -> None:
    """Search both phrasings in every mode and fuse their lists in every way."""
    other = {row["query"]: row["text"] for row in map(json.loads, PHRASINGS.read_text(encoding="utf-8").splitlines())}
    encoder = load_encoder()
    values: dict[str, dict[str, list[float]]] = {}
    for corpus in ("handbook", "manual"):
        folder = SAMPLES / corpus
        questions = read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
        with tempfile.TemporaryDirectory() as place:
            index_directory(folder, index=Path(place, "index"), encoder=encoder)
            with Retriever.open(Path(place, "index"), encoder=encoder) as retriever:
                for mode in ("hybrid", "dense", "bm25"):
                    config = SearchConfig(k=100, mode=mode, collapse=False)  # type: ignore[arg-type]
                    runs: dict[str, dict[str, dict[str, float]]] = {way: {} for way in WAYS}
                    for query, text in questions.queries.items():
                        lists = retriever.search_batch_with([text, other[query]], config, highlight=False)
                        sources = {hit.id: hit.source for hits in lists for hit in hits}
                        for way, fuse in WAYS.items():
                            best: dict[str, float] = {}
                            for key, score in fuse([{hit.id: hit.score for hit in hits} for hits in lists]).items():
                                best[sources[key]] = max(score, best.get(sources[key], score))
                            runs[way][query] = best
                    for way, run in runs.items():
                        found = measure_run(mode, run, questions, ["nDCG@10"]).values["nDCG@10"]
                        values.setdefault(mode, {}).setdefault(way, []).extend(found)
    report("phrasings", {
        mode: {
            way: {"nDCG@10": sum(found) / len(found), "p against mean": p_value(ways["mean"], found)}
            for way, found in ways.items()
        }
        for mode, ways in values.items()
    })  # fmt: skip


if __name__ == "__main__":
    main()
