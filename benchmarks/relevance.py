"""What does a score say about a hit, and how often is a question without an answer told to have none?

    python benchmarks/relevance.py --data DIR_OF_SETS [--write]

Judged hits of the evaluation sets, and hits for questions of sets of another domain, give the curve from score to
relevance of the default model; ``--write`` keeps it in the model's ``search.json``. The figures are of curves that were
drawn without the set they are measured on:

- kept: questions with an answer in the set that still have a hit at that relevance;
- foreign: questions of another domain that have none;
- removed: questions whose judged answers are taken out, that have none (others of the set may answer them unjudged).
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from bench import report
from sets import add_arguments, opened, questions

from c2vsearch import Retriever, load_encoder
from c2vsearch.config import SearchConfig
from c2vsearch.evaluation.relevance import fit_curve
from c2vsearch.model.checkpoint import find_model
from c2vsearch.model.profile import PROFILE_FILE, Logistic, SearchProfile, read_profile
from c2vsearch.records import Hit, Mode

MODEL = "c2v-mini"
# Sets about information science and computing: a question of one may be answered in another.
KIN = ({"adi", "cisi", "cacm", "mlquestions"},)
FOREIGN = 60  # questions of each other set
TOP = 3  # hits of a question that the curve is drawn through
LEVELS = (0.1, 0.2, 0.3, 0.5)
MODES: tuple[Mode, ...] = ("hybrid", "dense")
Kind = Literal["answered", "foreign", "removed"]


@dataclass
class Asked:
    """For questions of each kind: scores of their first hits, and which are right."""

    scores: dict[Kind, list[list[float]]] = field(default_factory=lambda: {kind: [] for kind in get_args(Kind)})
    right: dict[Kind, list[list[bool]]] = field(default_factory=lambda: {kind: [] for kind in get_args(Kind)})

    def add(self, kind: Kind, hits: list[Hit], judged: dict[str, int]) -> None:
        """The first hits of a question."""
        kept = [hit for hit in hits if kind != "removed" or not judged.get(hit.source)]
        self.scores[kind].append([hit.score for hit in kept])
        self.right[kind].append([judged.get(hit.source, 0) > 0 for hit in kept])

    def best(self, kind: Kind) -> list[float]:
        """The score of the best hit of each question."""
        return [max(scores, default=-1.0) for scores in self.scores[kind]]


def main() -> None:
    """Ask, draw the curves, measure them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--write", action="store_true", help="keep the curves in the model's folder")
    args = parser.parse_args()
    encoder, names = load_encoder(MODEL), args.sets.split(",")
    texts = {name: list(questions(args.data, name).queries.values()) for name in names}
    asked: dict[Mode, dict[str, Asked]] = {mode: {} for mode in MODES}
    for name in names:
        with opened(args.data, name, encoder, indexes=args.indexes) as retriever:
            for mode in MODES:
                asked[mode][name] = ask(retriever, args.data, name, texts, mode)
        print(name, flush=True)
    curves = {mode: curve_of(asked[mode], names) for mode in MODES}
    if args.write:
        folder = find_model(MODEL)
        profile = SearchProfile(eos_weight=read_profile(folder).eos_weight, relevance=rounded(curves))
        (folder / PROFILE_FILE).write_text(profile.to_json(), encoding="utf-8")
    measured = {mode: {name: rates(asked[mode], name) for name in names} for mode in MODES}
    means = {mode: mean_of(list(measured[mode].values())) for mode in MODES}
    drawn = {mode: {"slope": curve.slope, "intercept": curve.intercept} for mode, curve in curves.items()}
    report("relevance", {"curves": drawn, "mean": means, "sets": measured})


def ask(retriever: Retriever, data, name: str, texts: dict[str, list[str]], mode: Mode) -> Asked:  # noqa: ANN001
    """The questions of a set, and some of each set of another domain."""
    found, own = Asked(), questions(data, name)
    config = SearchConfig(k=10, mode=mode, operators=False, collapse=False)
    for query, hits in zip(
        own.queries, retriever.search_batch_with(list(own.queries.values()), config, highlight=False), strict=True
    ):
        judged = own.qrels.get(query, {})
        found.add("answered", hits, judged)
        found.add("removed", hits, judged)
    generator = random.Random(1)
    for other in texts:
        if other != name and not any({other, name} <= kin for kin in KIN):
            foreign = generator.sample(texts[other], min(FOREIGN, len(texts[other])))
            for hits in retriever.search_batch_with(foreign, config, highlight=False):
                found.add("foreign", hits, {})
    return found


def curve_of(asked: dict[str, Asked], names: list[str]) -> Logistic:
    """A curve through the first hits: each set counts the same, its own questions twice as much as foreign ones."""
    scores: list[float] = []
    right: list[bool] = []
    weights: list[float] = []
    for name in names:
        for kind, weight in (("answered", 1.0), ("foreign", 0.5)):
            rows = asked[name].scores[kind]  # type: ignore[index]
            for row, judged in zip(rows, asked[name].right[kind], strict=True):  # type: ignore[index]
                scores += row[:TOP]
                right += judged[:TOP]
                weights += [weight / len(rows) / max(1, len(row[:TOP]))] * len(row[:TOP])
    return fit_curve(scores, right, weights=weights)


def rates(asked: dict[str, Asked], name: str) -> dict[str, dict[str, float]]:
    """At each relevance, by a curve of the other sets: what is kept, and what is told to have no answer."""
    curve = curve_of(asked, [other for other in asked if other != name])
    found = {}
    for level in LEVELS:
        least = curve.score(level)
        below = {kind: float(np.mean([score < least for score in asked[name].best(kind)])) for kind in get_args(Kind)}
        found[f"{level:g}"] = {
            "kept": round(1 - below["answered"], 4), "foreign": round(below["foreign"], 4),
            "removed": round(below["removed"], 4),
        }  # fmt: skip
    first = [(curve.probability(s[0]), r[0]) for s, r in zip(*_first(asked[name]), strict=True)]
    found["first hit"] = {"expected": round(float(np.mean([p for p, _ in first])), 4),
                          "right": round(float(np.mean([r for _, r in first])), 4)}  # fmt: skip
    return found


def _first(asked: Asked) -> tuple[list[list[float]], list[list[bool]]]:
    pairs = [(s, r) for s, r in zip(asked.scores["answered"], asked.right["answered"], strict=True) if s]
    return [s for s, _ in pairs], [r for _, r in pairs]


def mean_of(rows: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The mean over the sets."""
    return {
        level: {key: round(float(np.mean([row[level][key] for row in rows])), 4) for key in rows[0][level]}
        for level in rows[0]
    }


def rounded(curves: dict[Mode, Logistic]) -> dict[str, Logistic]:
    """Curves with as many digits as mean something."""
    return {mode: Logistic(round(curve.slope, 3), round(curve.intercept, 3)) for mode, curve in curves.items()}


if __name__ == "__main__":
    main()
