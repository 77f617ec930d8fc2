"""What does a second look cost? Late interaction over 20 and 50 candidates: stored, made anew, under a time budget.

    python benchmarks/rerank_latency.py [--queries 60]

The handbook's own questions, the model warm, on all cores this process may use. Where the time goes is measured for
50 candidates; searches with and without a second look are timed in turn.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from bench import SAMPLES, report

from c2vsearch import Retriever, index_directory
from c2vsearch.config import SearchConfig
from c2vsearch.encoder import TokenCoder
from c2vsearch.evaluation import read_questions

HANDBOOK = SAMPLES / "handbook"
DEPTHS = (20, 50)
BUDGETS_MS = (50, 100, 250)
STORED = "rerank stored"


def milliseconds(work: Callable[..., object], *arguments: object) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - began) * 1000


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    return {"p50": round(statistics.median(times), 1), "p99": round(float(np.quantile(times, 0.99)), 1)}


def searches(stored: Retriever, retriever: Retriever, queries: Sequence[str]) -> dict[str, object]:
    """Searches of every kind in turn, so that a slow moment of the machine falls on all of them."""
    kinds = {"hybrid": SearchConfig(rerank=False)}
    kinds |= {f"{STORED} {depth}": SearchConfig(rerank_candidates=depth) for depth in DEPTHS}
    kinds |= {f"rerank {depth}": SearchConfig(rerank=True, rerank_candidates=depth) for depth in DEPTHS}
    kinds |= {
        f"rerank 50 within {budget} ms": SearchConfig(rerank=True, rerank_candidates=50, rerank_budget_ms=budget)
        for budget in BUDGETS_MS
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    looked_at: dict[str, list[int]] = {name: [] for name in kinds}
    for query in queries:
        for name, config in kinds.items():
            asked = stored if name.startswith(STORED) else retriever
            times[name].append(milliseconds(asked.search_with, query, config))
        for budget in BUDGETS_MS:
            name = f"rerank 50 within {budget} ms"
            wide = SearchConfig(k=50, rerank=True, rerank_candidates=50, rerank_budget_ms=budget, collapse=False)
            hits = retriever.search_with(query, wide)
            looked_at[name].append(sum(hit.stages[-1].stage == "rerank" for hit in hits))
    return {
        name: spread(times[name]) | ({"candidates": statistics.median(looked_at[name])} if looked_at[name] else {})
        for name in kinds
    }


def parts(stored: Retriever, queries: Sequence[str]) -> dict[str, object]:
    """Where the time of 50 candidates goes."""
    encoder, collection = stored.encoder, stored.collection
    assert isinstance(encoder, TokenCoder)
    assert encoder.token_codec is not None
    codec = encoder.token_codec
    found: dict[str, list[float]] = {"query states": [], "read codes": [], "make codes": [], "compare": []}
    tokens = []
    for query in queries:
        rows = [hit.row for hit in collection.search_text(query, k=50)]
        texts = [chunk.embedded_text for chunk in collection.chunks(rows)]
        found["query states"].append(milliseconds(encoder.encode_query_tokens, query))
        found["read codes"].append(milliseconds(lambda rows=rows: collection.token_codes(rows, codec=codec.identity)))
        found["make codes"].append(milliseconds(encoder.encode_token_codes, texts))
        states, codes = encoder.encode_query_tokens(query), encoder.encode_token_codes(texts)
        found["compare"].append(milliseconds(codec.similarities, states, codes))
        tokens += [len(each) // codec.parts for each in codes]
    mean = round(statistics.mean(tokens), 1)
    return {"tokens of a candidate": mean} | {name: spread(times) for name, times in found.items()}


def main() -> None:
    """Index the handbook, with codes and without, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=60)
    args = parser.parse_args()
    asked = list(read_questions(HANDBOOK / "queries.jsonl", HANDBOOK / "qrels" / "test.tsv").queries.values())
    queries = random.Random(7).sample(asked, min(args.queries, len(asked)))
    with tempfile.TemporaryDirectory() as place:
        for name, codes in (("stored", True), ("plain", False)):
            index_directory(HANDBOOK, index=Path(place, name), spec={"token_codes": codes})
        with Retriever.open(Path(place, "stored")) as stored, Retriever.open(Path(place, "plain")) as retriever:
            for query in queries[:5]:
                stored.search(query)
                retriever.search(query, rerank=True)
            results = {
                "queries": len(queries),
                "search": searches(stored, retriever, queries),
                "parts": parts(stored, queries),
            }
    report("rerank_latency", results)


if __name__ == "__main__":
    main()
