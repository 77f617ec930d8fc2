"""What does a second look cost? Late interaction over 20 and 50 candidates, and under a time budget.

    python benchmarks/rerank_latency.py [--index DIR] [--queries 60]

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
from c2vsearch.encoder import TokenEncoder
from c2vsearch.evaluation import read_questions
from c2vsearch.search.rerank import LateInteraction, max_similarities

HANDBOOK = SAMPLES / "handbook"
DEPTHS = (20, 50)
BUDGETS_MS = (50, 100, 250)


def milliseconds(work: Callable[..., object], *arguments: object) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - began) * 1000


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    return {"p50": round(statistics.median(times), 1), "p99": round(float(np.quantile(times, 0.99)), 1)}


def searches(retriever: Retriever, queries: Sequence[str]) -> dict[str, object]:
    """Searches of every kind in turn, so that a slow moment of the machine falls on all of them."""
    kinds = {"hybrid": SearchConfig()}
    kinds |= {f"rerank {depth}": SearchConfig(rerank=True, rerank_candidates=depth) for depth in DEPTHS}
    kinds |= {
        f"rerank 50 within {budget} ms": SearchConfig(rerank=True, rerank_candidates=50, rerank_budget_ms=budget)
        for budget in BUDGETS_MS
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    looked_at: dict[str, list[int]] = {name: [] for name in kinds}
    for query in queries:
        for name, config in kinds.items():
            times[name].append(milliseconds(retriever.search_with, query, config))
        for budget in BUDGETS_MS:
            name = f"rerank 50 within {budget} ms"
            wide = SearchConfig(k=50, rerank=True, rerank_candidates=50, rerank_budget_ms=budget, collapse=False)
            hits = retriever.search_with(query, wide)
            looked_at[name].append(sum(hit.stages[-1].stage == "rerank" for hit in hits))
    return {
        name: spread(times[name]) | ({"candidates": statistics.median(looked_at[name])} if looked_at[name] else {})
        for name in kinds
    }


def parts(retriever: Retriever, queries: Sequence[str]) -> dict[str, object]:
    """Where the time of 50 candidates goes."""
    encoder = retriever.encoder
    assert isinstance(encoder, TokenEncoder)
    reranker = LateInteraction(encoder, tokenizer=encoder.tokenizer)
    found: dict[str, list[float]] = {"cut": [], "query states": [], "candidate states": [], "compare": []}
    tokens = []
    for query in queries:
        texts = [hit.text for hit in retriever.search_with(query, SearchConfig(k=50))]
        read = reranker.read(texts)
        tokens += [len(encoder.tokenizer.token_spans(text)) for text in read]
        found["cut"].append(milliseconds(reranker.read, texts))
        found["query states"].append(milliseconds(encoder.encode_query_tokens, query))
        found["candidate states"].append(milliseconds(encoder.encode_document_tokens, read))
        first, states = encoder.encode_query_tokens(query), encoder.encode_document_tokens(read)
        found["compare"].append(milliseconds(max_similarities, first, states))
    mean = round(statistics.mean(tokens), 1)
    return {"tokens that are read": mean} | {name: spread(times) for name, times in found.items()}


def main() -> None:
    """Index the handbook, unless an index is given, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--queries", type=int, default=60)
    args = parser.parse_args()
    asked = list(read_questions(HANDBOOK / "queries.jsonl", HANDBOOK / "qrels" / "test.tsv").queries.values())
    queries = random.Random(7).sample(asked, min(args.queries, len(asked)))
    with tempfile.TemporaryDirectory() as place:
        index = args.index or Path(place, "index")
        if args.index is None:
            index_directory(HANDBOOK, index=index)
        with Retriever.open(index) as retriever:
            for query in queries[:5]:
                retriever.search(query, rerank=True)
            results = {
                "queries": len(queries),
                "search": searches(retriever, queries),
                "parts": parts(retriever, queries),
            }
    report("rerank_latency", results)


if __name__ == "__main__":
    main()
