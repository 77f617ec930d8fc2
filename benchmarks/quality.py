"""How well are questions answered, and how fast? Every stage and option on public sets, beside other tools.

    python benchmarks/quality.py --data DIR_OF_SETS [--peers PYTHON] [--write]

Every set, in BEIR layout and not part of the project, is indexed through the library, a document as one chunk; the
sample corpora are cut as usual. Differences to the default are tested in pairs of queries, with Holm's correction over
the rows of a set. Queries are timed one at a time, the kinds of search in turn; other tools in their own process
(`quality_peers.py`; PYTHON has them installed). ``--write``
puts the tables into docs/quality.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bench import ROOT, SAMPLES, report
from sets import add_arguments, opened, questions

from c2vsearch import Retriever, index_directory, load_encoder
from c2vsearch.config import SearchConfig
from c2vsearch.evaluation import Evaluation, Questions, compare_all, measure_run, read_questions, run_with

MEASURES = ("nDCG@10", "R@100", "RR@10")
DEFAULT = "hybrid (default)"
KINDS = {
    DEFAULT: SearchConfig(),
    "BM25": SearchConfig(mode="bm25"),
    "dense": SearchConfig(mode="dense"),
    "not reranked": SearchConfig(rerank=False),
    "RRF, not reranked": SearchConfig(fusion="rrf", rerank=False),
    "min-max, not reranked": SearchConfig(fusion="minmax", rerank=False),
    "z-score, not reranked": SearchConfig(fusion="zscore", rerank=False),
    "reranked, 20 candidates": SearchConfig(rerank_candidates=20),
    "whole EOS half": SearchConfig(),
    "diversity 0.2": SearchConfig(diversity=0.2),
}
WHOLE = "whole EOS half"
CORPORA = ("handbook", "manual")
TIMED = 40  # queries of a set
CLEAR = 0.05
PAGE = ROOT / "docs" / "quality.md"
MARK = "<!-- measured -->\n"
Values = dict[str, dict[str, Evaluation]]  # set, row


def main() -> None:
    """Measure every row on every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--peers", type=Path, help="a Python with sentence-transformers, bm25s and txtai")
    parser.add_argument("--peer-runs", type=Path, help="what quality_peers.py has written already")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    names = args.sets.split(",")
    peers = peer_runs(args)
    encoder = load_encoder()
    whole = load_encoder()
    whole.profile = dataclasses.replace(encoder.profile, eos_weight=1.0)
    values: Values = {}
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for name in [*names, *CORPORA]:
        with the_set(args, name, encoder) as (retriever, asked), Retriever(retriever.collection, whole) as other:
            values[name] = measured(retriever, other, asked)
            timed(retriever, other, list(asked.queries.values())[:TIMED], times)
        for tool, sets in peers.items():
            if name in sets:
                values[name][tool] = measure_run(tool, sets[name]["run"], asked, MEASURES)
        print(name, {kind: round(found.mean("nDCG@10"), 4) for kind, found in values[name].items()}, flush=True)
    milliseconds = times | {tool: [ms for found in sets.values() for ms in found["ms"]] for tool, sets in peers.items()}
    summary = {"sets": names, "rows": rows(values, names, milliseconds), "clear": differences(values)}
    report("quality", {"model": f"{encoder.fingerprint.name}@{encoder.fingerprint.revision}", **summary})
    if args.write:
        head = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
        PAGE.write_text(f"{head}{MARK}\n{tables(summary)}", encoding="utf-8")


def peer_runs(args: argparse.Namespace) -> dict[str, dict[str, dict]]:
    """Runs and times of other tools, made now or before."""
    if args.peer_runs:
        return json.loads(args.peer_runs.read_text(encoding="utf-8"))
    if not args.peers:
        return {}
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "runs.json"
        script = Path(__file__).with_name("quality_peers.py")
        subprocess.run([args.peers, script, "--data", args.data, "--sets", args.sets, "--out", out], check=True)
        return json.loads(out.read_text(encoding="utf-8"))


@contextmanager
def the_set(args: argparse.Namespace, name: str, encoder) -> Iterator[tuple[Retriever, Questions]]:  # noqa: ANN001
    """A set, or a sample corpus, as an index, and its questions."""
    if name not in CORPORA:
        with opened(args.data, name, encoder, indexes=args.indexes) as retriever:
            yield retriever, questions(args.data, name)
        return
    folder = SAMPLES / name
    with tempfile.TemporaryDirectory() as place:
        index_directory(folder, index=Path(place) / "index", encoder=encoder)
        with Retriever.open(Path(place) / "index", encoder=encoder) as retriever:
            yield retriever, read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")


def measured(retriever: Retriever, whole: Retriever, asked: Questions) -> dict[str, Evaluation]:
    """Every kind of search, a hundred documents deep."""
    found = {}
    for kind, config in KINDS.items():
        run = run_with(whole if kind == WHOLE else retriever, asked.queries, dataclasses.replace(config, k=100))
        found[kind] = measure_run(kind, run, asked, MEASURES)
    return found


def timed(retriever: Retriever, whole: Retriever, queries: list[str], times: dict[str, list[float]]) -> None:
    """Milliseconds of whole searches for ten hits with their highlights, the model warm."""
    for turn, query in enumerate([queries[0], *queries]):
        for kind, config in KINDS.items():
            began = time.perf_counter()
            (whole if kind == WHOLE else retriever).search_with(query, config)
            if turn:
                times[kind].append(1e3 * (time.perf_counter() - began))


def rows(values: Values, names: list[str], milliseconds: dict[str, list[float]]) -> dict[str, dict]:
    """For each row: the measures' means over the sets, nDCG@10 of every set, and times."""
    found = {}
    for row in dict.fromkeys(row for name in names for row in values[name]):
        means = {m: round(float(np.mean([values[name][row].mean(m) for name in names])), 4) for m in MEASURES}
        each = {name: round(values[name][row].mean("nDCG@10"), 4) for name in values if row in values[name]}
        spread = {f"p{q}": round(float(np.percentile(milliseconds[row], q)), 1) for q in (50, 99)}
        found[row] = {"mean": means, "nDCG@10": each, "ms": spread}
    return found


def differences(values: Values) -> dict[str, dict[str, dict[str, float]]]:
    """Of each row to the default on each set: the difference of nDCG@10 and its adjusted p-value."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, kinds in values.items():
        others = [row for row in kinds if row != DEFAULT]
        compared = compare_all([kinds[DEFAULT], *(kinds[row] for row in others)], "nDCG@10")
        for row, each in zip(others, compared, strict=True):
            found.setdefault(row, {})[name] = {"difference": round(-each.difference, 4), "p": round(each.adjusted, 4)}
    return found


def tables(summary: dict) -> str:
    """Both tables as Markdown."""
    lines = ["| search | nDCG@10 | R@100 | RR@10 | p50 ms | p99 ms |", "|---|---|---|---|---|---|"]
    for row, found in summary["rows"].items():
        cells = [f"{found['mean'][m]:.4f}" for m in MEASURES]
        shown = f"**{row}**" if row == DEFAULT else row
        lines.append(f"| {shown} | {' | '.join(cells)} | {found['ms']['p50']:.1f} | {found['ms']['p99']:.1f} |")
    names = [*summary["sets"], *CORPORA]
    lines += ["", f"| nDCG@10 | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in summary["rows"]:
        lines.append(f"| {row} | {' | '.join(cell(summary, row, name) for name in names)} |")
    return "\n".join(lines) + "\n"


def cell(summary: dict, row: str, name: str) -> str:
    """One figure, with a mark where it differs clearly from the default."""
    each = summary["clear"].get(row, {}).get(name)
    value = summary["rows"][row]["nDCG@10"].get(name)
    mark = "" if not each or each["p"] >= CLEAR else (" ▲" if each["difference"] > 0 else " ▼")
    return "" if value is None else f"{value:.3f}{mark}"


if __name__ == "__main__":
    sys.exit(main())
