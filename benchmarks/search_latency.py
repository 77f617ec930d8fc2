"""How long does a question take in an index of 100,000 chunks? Every mode, the model warm, one question at a time.

    python benchmarks/search_latency.py [--chunks 100000] [--index DIR]

Chunks are paragraphs of the sample corpora with their words in another order, about 60 to 120 words each; questions
are those of the sample corpora, encoded by the model. The rows of the chunks are sums of a drawn vector for each word,
and the codes of their tokens are drawn: a search costs what it costs with the model's own, which would take hours to
compute. The kinds of search are timed in turn. "hybrid, first time" is each question when it is asked first, and the
texts of its hits are in no memory yet but the system's.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from bench import SAMPLES, paragraphs, report

from c2vsearch import Retriever, load_encoder
from c2vsearch.collection.layout import versions
from c2vsearch.config import SearchConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.evaluation import CorpusDocument, index_documents, read_questions
from c2vsearch.search import LateInteraction

KINDS = {
    "hybrid": SearchConfig(rerank=False),
    "bm25": SearchConfig(mode="bm25"),
    "dense": SearchConfig(mode="dense"),
    "reranked, 20": SearchConfig(rerank_candidates=20),
    "reranked, 50": SearchConfig(rerank_candidates=50),
    "reranked, 50, sentences by codes": SearchConfig(rerank_candidates=50, highlight="stored"),
}
# By candidates that are encoded again, as in an index without codes.
AGAIN = {
    "encoded again, 20": SearchConfig(rerank=True, rerank_candidates=20),
    "encoded again, 50": SearchConfig(rerank=True, rerank_candidates=50),
    "encoded again, 50 within 200 ms": SearchConfig(rerank=True, rerank_candidates=50, rerank_budget_ms=200),
}
ROUNDS = 3
FIRST = "hybrid"
FEW = 40  # questions for what takes long


class Drawn:
    """The default model, but for the rows and codes of documents."""

    def __init__(self) -> None:
        self._model = load_encoder()
        self._words = HashEncoder(dim=self._model.fingerprint.dim)
        self._generator = np.random.default_rng(5)
        self.token_codec = self._model.token_codec

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        """Sums of drawn vectors, of unit length. Shape: (N, D)."""
        return self._words.encode_documents(texts)

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[np.ndarray, list[bytes]]:
        """The same, and drawn codes of as many tokens as there are."""
        parts = self.token_codec.parts
        counts = [len(self._model.coded_spans(text)) for text in texts]
        return self.encode_documents(texts), [self._generator.bytes(parts * count) for count in counts]


def documents(count: int) -> Iterator[CorpusDocument]:
    """Paragraphs in another order, all different."""
    generator, pool = random.Random(11), paragraphs()
    for number in range(count):
        words = " ".join(generator.sample(pool, 2)).split()
        generator.shuffle(words)
        yield CorpusDocument(f"{number:06}", "", " ".join(words[: generator.randint(60, 120)]))


def main() -> None:
    """Index where there is no index, then ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--index", type=Path)
    args = parser.parse_args()
    encoder = Drawn()
    with tempfile.TemporaryDirectory() as place:
        index = args.index or Path(place) / "index"
        if not versions(index):
            index_documents(documents(args.chunks), index, encoder=encoder)
        with Retriever.open(index, encoder=encoder) as retriever:
            queries = [text for name in ("handbook", "manual") for text in questions(name)]
            times = timed(retriever, queries, KINDS, rounds=ROUNDS)
            # Without codes of this codec nothing that is stored is of use.
            plain = Retriever(
                retriever.collection, encoder, reranker=LateInteraction(encoder, tokenizer=encoder.tokenizer)
            )
            times |= timed(plain, queries[:FEW], AGAIN, rounds=1)
            segments = [entry.kind for entry in retriever.collection.manifest.vectors]
    found = {"chunks": args.chunks, "segments": segments, "queries": len(times["hybrid"]), "ms": spread(times)}
    report("search_latency", found)


def questions(name: str) -> list[str]:
    """Those of a sample corpus."""
    folder = SAMPLES / name
    return list(read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv").queries.values())


def timed(
    retriever: Retriever, queries: list[str], kinds: dict[str, SearchConfig], *, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of whole searches for ten hits, after one round to warm up."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(rounds + 1):
        for query in queries:
            for kind, config in kinds.items():
                began = time.perf_counter()
                retriever.search_with(query, config)
                spent = 1e3 * (time.perf_counter() - began)
                if turn:
                    times[kind].append(spent)
                elif kind == FIRST:
                    times.setdefault(f"{FIRST}, first time", []).append(spent)
    return times


def spread(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median and 99th percentile."""
    return {
        kind: {f"p{share}": round(float(np.percentile(values, share)), 1) for share in (50, 99)}
        for kind, values in times.items()
    }


if __name__ == "__main__":
    sys.exit(main())
