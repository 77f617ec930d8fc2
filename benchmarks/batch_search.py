"""What is gained by asking many queries at once, and do they get the same answers?

    python benchmarks/batch_search.py [--rows 200000] [--kinds Flat IVF2048,PQ192x4fs IVF2048,SQ8 HNSW32,SQ8]

Made rows of 768 numbers (`vectors.py`). For each kind of segment, with all rows, with 1 % deleted, and with a filter
that leaves a tenth: milliseconds a query of `search` one after the other and of `search_batch`, for 1, 8, 64 and 1,000
queries, in turn; every answer of the batch is compared with the single one, positions and scores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench import report
from numpy.typing import NDArray
from vectors import Made

from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex, training_rows
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.index.vectors import VectorSegment
from c2vsearch.shards.checked import file_hashes

KINDS = ("Flat", "IVF2048,PQ192x4fs", "IVF2048,SQ8", "HNSW32,SQ8")
COUNTS = (1, 8, 64, 1000)
K, FEW, MANY = 100, Setting(32, 40), Setting(64, 400)
SHARES = {"all": None, "1% deleted": 0.99, "a tenth": 0.1}


def milliseconds(answer: Callable[[], object], *, times: int) -> float:
    """The quickest of some runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer()
        taken.append(time.perf_counter() - began)
    return 1e3 * min(taken)


def compared(segment: VectorSegment | ApproximateSegment, asked: NDArray[np.float32], rows: int) -> list[dict]:
    """Single and batch for each number of queries and share of rows that count."""
    found = []
    for name, share in SHARES.items():
        live = None if share is None else np.random.default_rng(5).random(rows) < share
        for count in COUNTS:
            queries, times = asked[:count], 7 if count < 64 else 3
            single = [segment.search(query, k=K, live=live) for query in queries]  # and everything is in memory now
            if segment.search_batch(queries, k=K, live=live) != single:
                raise SystemExit(f"a batch of {count} answers otherwise than single queries ({name})")

            def loop(queries: NDArray[np.float32] = queries, live: NDArray[np.bool_] | None = live) -> None:
                for query in queries:
                    segment.search(query, k=K, live=live)

            def batch(queries: NDArray[np.float32] = queries, live: NDArray[np.bool_] | None = live) -> None:
                segment.search_batch(queries, k=K, live=live)

            one, all_ = milliseconds(loop, times=times) / count, milliseconds(batch, times=times) / count
            found.append({
                "rows": name, "queries": count, "single_ms": round(one, 3), "batch_ms": round(all_, 3),
                "faster": round(one / all_, 2),
            })  # fmt: skip
            print(found[-1], flush=True)
    return found


def main() -> None:
    """Every kind in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--dim", type=int, default=768)
    args = parser.parse_args()
    made, results = Made(dim=args.dim), {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "rows.faiss")
        write_rows(path, made.parts(args.rows), dim=made.dim, rows=args.rows)
        file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=made.dim, rows=args.rows)
        for kind in args.kinds:
            print(kind, flush=True)
            if kind == "Flat":
                segment: VectorSegment | ApproximateSegment = VectorSegment(path, dim=made.dim, rows=args.rows)
            else:
                sample = np.arange(0, args.rows, max(1, args.rows // training_rows(kind, made.dim)))
                index = CandidateIndex.build(kind, file.take(sample), file.parts(), dim=made.dim)
                segment = ApproximateSegment(index, file, few=FEW, many=MANY)
            results[kind] = compared(segment, made.queries(max(COUNTS)), args.rows)
    report("batch_search", {"rows": args.rows, "dim": made.dim, "k": K, "kinds": results})


if __name__ == "__main__":
    main()
