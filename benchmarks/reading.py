"""Does reading keep up with the encoder? Tokens a second of reading and cutting, of encoding, and what it waits.

    python benchmarks/reading.py [--documents 30]

For each format: the same documents read and cut (`cut_files`) and encoded, one after the other, in one process. Then
all of them indexed together: the share of the time in which the encoder had nothing to do.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from bench import report
from extraction import WRITERS, content, vocabulary

from c2vsearch import index_directory, load_encoder
from c2vsearch.config import ReadingConfig, WalkConfig
from c2vsearch.indexing import cut_files
from c2vsearch.ingest import walk


def speeds(folder: Path, encoder: object, *, workers: int) -> dict[str, float]:
    """Seconds to cut all of a folder and to encode it; the first file, with which a reader starts, is not counted."""
    cuts = cut_files(walk(folder, config=WalkConfig()), encoder=encoder, reading=ReadingConfig(workers=workers))
    next(cuts)
    began = time.perf_counter()
    chunks = [chunk for cut in cuts for chunk in cut.chunks]
    cutting = time.perf_counter() - began
    began = time.perf_counter()
    encoder.encode_documents([chunk.embedded_text for chunk in chunks])
    encoding = time.perf_counter() - began
    tokens = sum(chunk.tokens for chunk in chunks)
    return {
        "tokens": tokens, "cut_tokens_per_s": round(tokens / cutting), "encode_tokens_per_s": round(tokens / encoding),
        "times_faster": round(encoding / cutting, 1),
    }  # fmt: skip


def main() -> None:
    """Each format by itself, then all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    encoder, words = load_encoder(), vocabulary()
    numbers = itertools.count()
    formats = {}
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus"
        for suffix, write in WRITERS.items():
            folder = corpus / suffix
            folder.mkdir(parents=True)
            for number in itertools.islice(numbers, args.documents):
                (folder / f"{number}.{suffix}").write_bytes(write(content(number, words)))
            formats[suffix] = speeds(folder, encoder, workers=args.workers)
            print(suffix, formats[suffix], flush=True)
        whole = index_directory(corpus, index=Path(name) / "index", encoder=encoder)
    report("reading", {
        "documents": args.documents, "workers": args.workers, "formats": formats,
        "all_together": {
            "files": len(whole.files), "counts": whole.counts, "chunks": whole.chunks, "seconds": whole.seconds,
            "waited_seconds": whole.waited_seconds, "waited_share": whole.waited_seconds / whole.seconds,
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
