"""Does memory grow with the number of files? Peak resident memory of a first run and of a sync, up to 100,000 files.

    python benchmarks/many_files.py [--files 1000 10000 100000]

Rows drawn by the hash of each text stand in for the model's, so that what is measured is everything else: the walk,
reading, cutting, storing, and the state of each file. They have 768 dimensions, as those of the bundled model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import report
from resync import make_notes

CHILD = """
import json, resource, sys, zlib
from pathlib import Path
import numpy as np
from c2vsearch import index_directory
from c2vsearch.encoder import HashEncoder

class Drawn(HashEncoder):
    def encode_documents(self, texts):
        rows = np.array([np.random.default_rng(zlib.crc32(text.encode())).standard_normal(768) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

report = index_directory(Path(sys.argv[1]), index=Path(sys.argv[2]), encoder=Drawn(dim=768))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak_mib": round(peak, 1), "seconds": round(report.seconds, 1), "chunks": report.chunks}))
"""


def main() -> None:
    """Index each tree, then sync it, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    args = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for files in args.files:
            corpus, index = Path(name) / f"tree{files}", Path(name) / f"index{files}"
            make_notes(corpus, files=files)
            for what in ("first run", "sync"):
                command = [sys.executable, "-c", CHILD, str(corpus), str(index)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                results.setdefault(str(files), {})[what] = json.loads(done.stdout.splitlines()[-1])
                print(files, what, results[str(files)][what], flush=True)
    report("many_files", results)


if __name__ == "__main__":
    main()
