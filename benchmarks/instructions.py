"""What does an instruction change? nDCG@10 of each named task on the same documents, and both sides instructed.

    python benchmarks/instructions.py --data DIR_OF_SETS [--sets adi,cisi] [--symmetric-sets adi] [--model NAME]

A set is indexed once, a document as one chunk: tasks that instruct queries alone need no other documents. The sets of
``--symmetric-sets`` are indexed once more under the task "similar". `stsb` is the Spearman correlation of cosines with
people's scores for its pairs of sentences. ``cosine`` says how far a query moves under an instruction, in the precision
that is searched with and in float32, which has no rounding to hide behind. Differences to the model's default task are
tested in pairs, with a seed. The sets are not part of the project.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from bench import report
from numpy.typing import NDArray
from sets import add_arguments, opened, questions

from c2vsearch import Retriever, load_encoder
from c2vsearch.config import DEFAULT_MODEL, DEFAULT_TASK
from c2vsearch.encoder import Encoder
from c2vsearch.evaluation import Evaluation, Questions, compare_all, evaluate, index_corpus
from c2vsearch.task import TASKS

MEASURE, MODES = "nDCG@10", ("dense", "hybrid")
INSTRUCTIONS = {name: task.instruction for name, task in TASKS.items()}
# What each set is, by what such sets are instructed with in the literature: judged titles and abstracts for a request
# (as NFCorpus), questions with answers (as NQ), sentences beside the clause they sum up (as summaries).
FITTING = {"adi": "search", "cisi": "search", "cranfield": "qa", "legalsum": "similar", "wikiqa": "qa"}
WRONG = "argument"


def main() -> None:
    """Measure every set, then pairs of sentences; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.set_defaults(sets=",".join(FITTING))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--name", default="instructions")
    parser.add_argument("--symmetric-sets", default="adi,legalsum")
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    exact = load_encoder(args.model, runtime="torch", precision="fp32")
    texts = list(questions(args.data, args.sets.split(",")[0]).queries.values())
    results: dict[str, object] = {
        "cosine": {each.fingerprint.precision: moved(each, texts) for each in (encoder, exact)},
        "stsb": sentence_pairs(encoder, args.data / "stsb" / "test.jsonl"),
    }
    print(results, flush=True)
    for name in args.sets.split(","):
        with opened(args.data, name, encoder, indexes=args.indexes) as retriever:
            results[name] = by_task(retriever, questions(args.data, name), fitting=FITTING.get(name))
        print(name, json.dumps(results[name]), flush=True)
    for name in filter(None, args.symmetric_sets.split(",")):
        results[f"{name}, both sides"] = symmetric(args.data, name, encoder, indexes=args.indexes)
    fingerprint = encoder.fingerprint
    report(args.name, {"model": f"{fingerprint.name}@{fingerprint.revision}", MEASURE: results})


def by_task(
    retriever: Retriever, asked: Questions, *, fitting: str | None, default: str | None = None
) -> dict[str, object]:
    """Means of each task in each mode, and whether they differ from those of the default."""
    found: dict[str, object] = {"queries": len(asked.queries), "fitting": fitting, "wrong": WRONG}
    runs = {name: _measured(retriever, asked, text) for name, text in {"default": default, **INSTRUCTIONS}.items()}
    for number, mode in enumerate(MODES):
        evaluations = [run[number] for run in runs.values()]
        found[mode] = {name: round(each.mean(MEASURE), 4) for name, each in zip(runs, evaluations, strict=True)}
        against = zip(list(runs)[1:], compare_all(evaluations, MEASURE), strict=True)
        found[f"{mode} p"] = {name: round(each.p_value, 4) for name, each in against}
    return found


def _measured(retriever: Retriever, asked: Questions, instruction: str | None) -> list[Evaluation]:
    return evaluate(retriever, asked, modes=MODES, measures=(MEASURE,), instruction=instruction)


def symmetric(data: Path, name: str, encoder: Encoder, *, indexes: Path | None) -> dict[str, object]:
    """The same on documents that were encoded under the task "similar"."""
    with tempfile.TemporaryDirectory() as place:
        index = (indexes or Path(place)) / f"{name}-similar"
        if not (index / "versions").is_dir():
            index_corpus(data / name / "corpus.jsonl", index, encoder=encoder, task=TASKS["similar"])
        with Retriever.open(index, encoder=encoder) as retriever:
            return by_task(retriever, questions(data, name), fitting="similar", default=DEFAULT_TASK)


def moved(encoder: Encoder, texts: list[str]) -> dict[str, float]:
    """The least cosine of a query under a task with the same query under none."""
    plain = encoder.encode_queries(texts)
    rows = {name: encoder.encode_queries(texts, instruction=text) for name, text in INSTRUCTIONS.items()}
    return {name: round(float((plain * each).sum(axis=1).min()), 6) for name, each in rows.items()}


def sentence_pairs(encoder: Encoder, file: Path) -> dict[str, float]:
    """Spearman's correlation times 100, with the instruction on no side, on one and on both."""
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    first, second = ([pair[key] for pair in pairs] for key in ("sentence1", "sentence2"))
    judged = np.array([pair["score"] for pair in pairs])
    plain = encoder.encode_documents(first), encoder.encode_documents(second)
    found = {"none": spearman(plain[0], plain[1], judged)}
    for name in ("similar", "duplicate", "argument"):
        rows = encoder.encode_queries(first, instruction=TASKS[name].instruction)
        found[f"{name}, one side"] = spearman(rows, plain[1], judged)
        other = encoder.encode_queries(second, instruction=TASKS[name].instruction)
        found[f"{name}, both sides"] = spearman(rows, other, judged)
        if name == "similar":
            instructed = other
        else:
            found[f"{name} to similar"] = spearman(rows, instructed, judged)
    return found


def spearman(first: NDArray[np.float32], second: NDArray[np.float32], judged: NDArray[np.float64]) -> float:
    """The correlation of ranks; equal values share the mean of theirs."""
    ranks = [_ranks(values) for values in ((first * second).sum(axis=1), judged)]
    return round(100 * float(np.corrcoef(ranks)[0, 1]), 2)


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[group]


if __name__ == "__main__":
    main()
