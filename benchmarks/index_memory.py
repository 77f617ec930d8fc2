"""Does the memory of indexing grow with the corpus? Peak resident memory at 1x, 4x, 16x and 64x.

python benchmarks/index_memory.py [--files 12]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import make_corpus, report

# In a child of its own, so that the peak is that of one run.
CHILD = """
import json, resource, sys
from pathlib import Path
from c2vsearch import index_directory
report = index_directory(Path(sys.argv[1]), index=Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"chunks": report.chunks, "peak_mib": round(peak, 1)}))
"""


def main() -> None:
    """Index four corpora, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=12)
    args = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for times in (1, 4, 16, 64):
            corpus = Path(name) / f"corpus{times}"
            make_corpus(corpus, files=args.files * times)
            command = [sys.executable, "-c", CHILD, str(corpus), str(Path(name) / f"index{times}")]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[f"{times}x"] = {"files": args.files * times, **json.loads(done.stdout.splitlines()[-1])}
    report("index_memory", results)


if __name__ == "__main__":
    main()
