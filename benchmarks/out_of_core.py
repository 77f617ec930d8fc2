"""How much memory and time does it take to build an index of many rows?

    python benchmarks/out_of_core.py [--rows 250000 500000 1000000] [--memory-limit 8]

Made rows of 768 numbers are written as the file of a segment and indexed as a commit would do it (kind by the dial,
trained on a sample, added part by part, tuned against exact search), each size in a process of its own. Peak resident
memory does not count pages of the mapped file of rows, which the system takes back when it needs them: anonymous
memory is told beside it. The slope between the two largest sizes gives what ten million rows would need.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from bench import report
from vectors import Made

MANY = 10_000_000


def one(rows: int) -> None:
    """Build one index and say what it took."""
    from c2vsearch.config import IndexSpec
    from c2vsearch.index.calibration import Queries
    from c2vsearch.index.choice import choose
    from c2vsearch.index.rows import RowFile, write_rows
    from c2vsearch.shards.checked import file_hashes

    made, peak = Made(), Peak()
    with tempfile.TemporaryDirectory() as name, peak:
        path = Path(name, "rows.faiss")
        began = time.perf_counter()
        write_rows(path, made.parts(rows), dim=made.dim, rows=rows)
        written = time.perf_counter()
        file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=made.dim, rows=rows)
        own = np.sort(np.random.default_rng(3).choice(rows, size=100, replace=False)).astype(np.int64)
        queries = Queries(
            np.concatenate([made.queries(100), file.take(own)]), ("query",) * 100 + ("row",) * 100,
            np.concatenate([np.full(100, -1), own]),
        )  # fmt: skip
        chosen = choose(IndexSpec(target_recall=0.95), file, queries, dim=made.dim)
        chosen.index.save(Path(name, "kind.faiss"))
        print(json.dumps({
            "rows": rows, "kind": chosen.index.kind, "meets": chosen.meets, "recall": chosen.few.recall.mean,
            "ms": chosen.few.latency_ms, "write_s": round(written - began, 1),
            "build_s": round(time.perf_counter() - written, 1), "peak_anonymous_mib": round(peak.mib),
            "rows_mib": round(path.stat().st_size / 2**20), "index_mib": round(Path(name, "kind.faiss").stat().st_size
            / 2**20),
        }))  # fmt: skip


class Peak:
    """The most anonymous memory this process had, looked at twenty times a second."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    self.mib = max(self.mib, int(line.split()[1]) / 1024)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def main() -> None:
    """All sizes, then the slope."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one)
        return
    found = []
    for rows in args.rows:
        command = [sys.executable, __file__, "--one", str(rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], flush=True)
    [before, last] = found[-2:]
    slope = (last["peak_anonymous_mib"] - before["peak_anonymous_mib"]) / (last["rows"] - before["rows"])
    expected = last["peak_anonymous_mib"] + slope * (MANY - last["rows"])
    report(
        "out_of_core", {"sizes": found, "mib_a_million_rows": round(slope * 1e6), "mib_at_10_million": round(expected)}
    )


if __name__ == "__main__":
    main()
