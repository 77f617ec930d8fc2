"""What does int8 cost, and how long does one query take? The shipped model in int8 and in float32, on the same texts.

    python benchmarks/precision.py --data DIR_OF_SETS [--sets adi,cranfield] [--queries 200]

Dense search, exact, a document as one text: nDCG@10 of both runtimes on sets in BEIR layout. Then single queries,
one after the other in a warm process, the two runtimes in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import ir_measures
import numpy as np
from bench import report

from c2vsearch import load_encoder
from c2vsearch.encoder import Encoder
from c2vsearch.evaluation import Dataset, read_beir
from c2vsearch.evaluation.datasets import is_beir

PRECISIONS = ("int8", "fp32")
WARM_UP = 20


def ranking(dataset: Dataset, encoder: Encoder) -> float:
    """nDCG@10 of cosines in float32."""
    documents = list(dataset.documents)
    rows = encoder.encode_documents([f"{each.title}\n{each.text}".strip() for each in documents])
    queries = {name: text for name, text in dataset.questions.queries.items() if name in dataset.questions.qrels}
    scores = encoder.encode_queries(list(queries.values())) @ rows.T
    run = {}
    for name, line in zip(queries, scores, strict=True):
        best = np.argsort(-line, kind="stable")[:100]
        run[name] = {documents[place].id: float(line[place]) for place in best}
    measure = ir_measures.parse_measure("nDCG@10")
    return float(ir_measures.calc_aggregate([measure], dataset.questions.qrels, run)[measure])


def latencies(encoders: dict[str, Encoder], queries: list[str]) -> dict[str, dict[str, float]]:
    """Milliseconds of one query, the runtimes in turn."""
    times: dict[str, list[float]] = {name: [] for name in encoders}
    for query in queries:
        for name, encoder in encoders.items():
            began = time.perf_counter()
            encoder.encode_queries([query])
            times[name].append((time.perf_counter() - began) * 1000)
    warm = {name: sorted(values[WARM_UP:]) for name, values in times.items()}
    return {
        name: {"p50_ms": statistics.median(values), "p99_ms": values[int(len(values) * 0.99)]}
        for name, values in warm.items()
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="")
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    encoders = {precision: load_encoder("c2v-mini", precision=precision) for precision in PRECISIONS}
    names = args.sets.split(",") if args.sets else sorted(path.name for path in args.data.iterdir() if is_beir(path))
    quality: dict[str, dict[str, float]] = {}
    asked: list[str] = []
    for name in names:
        dataset = read_beir(args.data / name)
        asked += list(dataset.questions.queries.values())
        quality[name] = {precision: ranking(dataset, encoder) for precision, encoder in encoders.items()}
        print(name, quality[name], flush=True)
    means = {precision: statistics.mean(row[precision] for row in quality.values()) for precision in PRECISIONS}
    step = max(1, len(asked) // (args.queries + WARM_UP))
    report(
        "precision",
        {
            "ndcg_10": quality,
            "mean": means,
            "drop": means["fp32"] - means["int8"],
            "one_query": latencies(encoders, asked[::step][: args.queries + WARM_UP]),
        },
    )


if __name__ == "__main__":
    main()
