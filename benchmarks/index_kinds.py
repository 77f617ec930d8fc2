"""Which kind of vector index finds how much, how fast, in how much memory; and what filters cost.

    python benchmarks/index_kinds.py [--rows 100000 | --rows-file rows.npy]

Made rows (`vectors.py`), or real embeddings from a file. For each kind: its curve of recall@10 by milliseconds, and,
tuned to 0.98 with one half of the queries, what a search finds under filters that leave a half, a tenth and a
hundredth of the rows, for 10 and for 100 answers. Everything is compared with exact search over the same rows.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import report
from numpy.typing import NDArray
from vectors import Made, read_rows

from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.calibration import Queries, nearest
from c2vsearch.index.choice import build, kinds
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.index.vectors import VectorSegment
from c2vsearch.shards.checked import file_hashes

QUERIES, OWN, ASKED = 200, 100, 60
SHARES = (1.0, 0.5, 0.1, 0.01)
TARGET = 0.98


def under_filters(segment: ApproximateSegment, exact: VectorSegment, queries: NDArray[np.float32], rows: int) -> list:
    """Recall and median milliseconds at each share of rows that count, against the flat index with the same filter."""
    chance, found = np.random.default_rng(5), []
    for share in SHARES:
        live = None if share == 1.0 else chance.random(rows) < share
        for k in (10, 100):
            recalls, times, flat = [], [], []
            for query in queries:
                began = time.perf_counter()
                places = [place for place, _ in segment.search(query, k=k, live=live)]
                between = time.perf_counter()
                true = [place for place, _ in exact.search(query, k=k, live=live)]
                flat.append(time.perf_counter() - between)
                times.append(between - began)
                recalls.append(len(set(places) & set(true)) / max(len(true), 1))
            found.append({
                "share": share, "k": k, "recall": round(statistics.mean(recalls), 4),
                "ms": round(1e3 * statistics.median(times), 2), "exact_ms": round(1e3 * statistics.median(flat), 2),
            })  # fmt: skip
    return found


def main() -> None:
    """Every kind in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rows-file", type=Path)
    args = parser.parse_args()
    if args.rows_file:
        rows, asked = read_rows(args.rows_file)
        dim, count, parts = rows.shape[1], len(rows), [rows]
    else:
        made = Made()
        dim, count, parts, asked = made.dim, args.rows, made.parts(args.rows), made.queries(QUERIES + ASKED)
    results = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "rows.faiss")
        write_rows(path, parts, dim=dim, rows=count)
        file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=dim, rows=count)
        exact = VectorSegment(path, dim=dim, rows=count)
        own = np.sort(np.random.default_rng(3).choice(count, size=OWN, replace=False)).astype(np.int64)
        queries = Queries(
            np.concatenate([asked[:QUERIES], file.take(own)]), ("query",) * QUERIES + ("row",) * OWN,
            np.concatenate([np.full(QUERIES, -1), own]),
        )  # fmt: skip
        truth = nearest(queries, file.parts())
        for kind in kinds(count, dim):
            began = time.perf_counter()
            chosen = build(kind, file, queries, truth, dim=dim, target=TARGET)
            seconds = time.perf_counter() - began
            chosen.index.save(Path(name, "kind.faiss"))
            segment = ApproximateSegment(chosen.index, file, few=chosen.few.setting, many=chosen.many.setting)
            results[kind] = {
                "bytes_a_row": round(Path(name, "kind.faiss").stat().st_size / count, 1),
                "build_and_tune_s": round(seconds, 1), "meets": chosen.meets,
                "setting": [chosen.few.setting.effort, chosen.few.setting.depth],
                "recall": chosen.few.recall.mean, "interval": [chosen.few.recall.low, chosen.few.recall.high],
                "ms": chosen.few.latency_ms, "recall_at_100": chosen.many.recall.mean,
                "ms_at_100": chosen.many.latency_ms,
                "filters": under_filters(segment, exact, asked[QUERIES : QUERIES + ASKED], count),
            }  # fmt: skip
            print(kind, results[kind], flush=True)
    name = "index_kinds_real" if args.rows_file else "index_kinds"
    report(name, {"rows": count, "dim": dim, "target": TARGET, "kinds": results})


if __name__ == "__main__":
    main()
