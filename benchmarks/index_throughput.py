"""Is indexing as fast as the script people write by hand, on the same chunks?

    python benchmarks/index_throughput.py [--files 60] [--runs 3]

A: ``c2vsearch index`` on a folder, from files to a committed index with FAISS and BM25, with token codes and without.
B: sentence-transformers + all-MiniLM-L6-v2 + FAISS, given the chunks A made, with no reading, cutting,
   keyword index or durability to do. Whole processes and, apart from them, the encoders alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import make_corpus, report, timed
from cold_start import peer_model

PEER = """
import json, sys, faiss
from sentence_transformers import SentenceTransformer
texts = json.load(open(sys.argv[2]))
rows = SentenceTransformer(sys.argv[1], device="cpu").encode(texts, normalize_embeddings=True)
index = faiss.IndexFlatIP(rows.shape[1]); index.add(rows); faiss.write_index(index, sys.argv[3])
"""


def chunk_texts(index: Path) -> tuple[list[str], int]:
    """The chunks of an index, and their tokens in all."""
    from c2vsearch.collection import Collection

    chunks = list(Collection.open(index).iter_chunks())
    return [chunk.embedded_text for chunk in chunks], sum(chunk.tokens for chunk in chunks)


def encoders(texts: list[str], model: Path) -> dict[str, float]:
    """Seconds of the encoders alone on the same texts, the best of three turns."""
    from sentence_transformers import SentenceTransformer

    from c2vsearch import load_encoder

    ours, theirs = load_encoder(), SentenceTransformer(str(model), device="cpu")
    sides = {"c2v-mini": ours.encode_documents, "c2v-mini, codes": ours.encode_documents_with_codes,
             "MiniLM": theirs.encode}  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(3):
        for name, encode in sides.items():
            began = time.perf_counter()
            encode(texts)
            seconds[name].append(time.perf_counter() - began)
    return {name: min(values) for name, values in seconds.items()}


def main() -> None:
    """Make a corpus, run both in turn, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    model = peer_model()
    if model is None:
        sys.exit("this benchmark compares with sentence-transformers and all-MiniLM-L6-v2; install both first")
    times: dict[str, list[float]] = {"c2vsearch": [], "c2vsearch, no codes": [], "sentence-transformers": []}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make_corpus(place / "corpus", files=args.files)
        for run in range(args.runs):
            index = place / f"index{run}"
            command = [
                sys.executable,
                "-m",
                "c2vsearch",
                "index",
                str(place / "corpus"),
                "--index",
                str(index),
                "--quiet",
            ]
            times["c2vsearch"].append(timed(command)[0])
            bare = [str(place / f"bare{run}") if part == str(index) else part for part in command]
            times["c2vsearch, no codes"].append(timed([*bare, "--no-token-codes"])[0])
            texts, tokens = chunk_texts(index)
            (place / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
            peer = [sys.executable, "-c", PEER, str(model), str(place / "texts.json"), str(place / "peer.faiss")]
            times["sentence-transformers"].append(timed(peer)[0])
        alone = encoders(texts, model)
    medians = {side: statistics.median(values) for side, values in times.items()}
    report("index_throughput", {
        "files": args.files, "chunks": len(texts), "tokens": tokens, "runs": args.runs, "whole_process_s": times,
        "whole_process_speedup": medians["sentence-transformers"] / medians["c2vsearch"],
        "encoder_alone_s": alone, "encoder_alone_speedup": alone["MiniLM"] / alone["c2v-mini"],
        "encoder_tokens_per_s": {side: tokens / seconds for side, seconds in alone.items()},
    })  # fmt: skip


if __name__ == "__main__":
    main()
