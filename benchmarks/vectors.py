"""Unit rows to measure vector search with: made in parts from a seed, or read from a file of real embeddings.

    python benchmarks/vectors.py TEXTS.jsonl.xz ... --field text --out rows.npy [--queries-field query] [--limit 50000]

encodes texts with the bundled model: `rows.npy` for the other scripts' ``--rows``, and `rows.queries.npy` beside it.

Made rows lie near a curved surface of 48 dimensions in clusters of very different size, as embeddings of texts do;
rows that fill all their dimensions evenly would make every kind of index look bad.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIM, LATENT, PART = 768, 48, 10_000


class Made:
    """Rows of a seed, in parts that do not depend on how many there are."""

    def __init__(self, *, dim: int = DIM, seed: int = 0) -> None:
        chance = np.random.default_rng(seed)
        self.dim, self._seed = dim, seed
        self._out = chance.standard_normal((LATENT, dim)).astype(np.float32)
        self._bend = chance.standard_normal((LATENT, dim)).astype(np.float32)
        self._centres = 1.5 * chance.standard_normal((4000, LATENT)).astype(np.float32)
        weights = chance.pareto(1.2, len(self._centres)) + 0.05
        self._weights = weights / weights.sum()

    def parts(self, rows: int) -> Iterator[NDArray[np.float16]]:
        """Rows, at most `PART` at a time. Shape: (<= PART, D)."""
        for number in range(1, 1 + -(-rows // PART)):
            yield self.part(number, rows)

    def part(self, number: int, rows: int) -> NDArray[np.float16]:
        """One of them, counted from 1, of so many rows in all. Shape: (<= PART, D)."""
        return self._drawn(min(PART, rows - PART * (number - 1)), number, spread=1.0).astype(np.float16)

    def queries(self, count: int) -> NDArray[np.float32]:
        """Rows of the same kind, a little further from the centres. Shape: (count, D)."""
        return self._drawn(count, 0, spread=1.2)

    def _drawn(self, count: int, part: int, *, spread: float) -> NDArray[np.float32]:
        chance = np.random.default_rng((self._seed, part))
        near = chance.choice(len(self._centres), size=count, p=self._weights)
        latent = self._centres[near] + spread * chance.standard_normal((count, LATENT), dtype=np.float32)
        rows = latent @ self._out + np.tanh(latent) @ self._bend
        rows += 1.5 * chance.standard_normal((count, self.dim), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def read_rows(path: Path) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Real rows and real queries, as this script writes them. Shapes: (N, D), (Q, D)."""
    return np.load(path), np.load(path.with_suffix(".queries.npy")).astype(np.float32)


def main() -> None:
    """Encode texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--field", default="positive")
    parser.add_argument("--queries-field", default="query")
    parser.add_argument("--limit", type=int, default=4000, help="texts of a file")
    parser.add_argument("--characters", type=int, default=160)
    args = parser.parse_args()
    from c2vsearch import load_encoder

    encoder = load_encoder()
    chance = random.Random(0)
    pairs: list[tuple[str, str]] = []
    for path in sorted(args.files):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        chance.shuffle(records)
        pairs += [(one[args.queries_field], one[args.field][: args.characters]) for one in records[: args.limit]]
    chance.shuffle(pairs)
    parts = [
        encoder.encode_documents([text for _, text in pairs[start : start + 2000]]).astype(np.float16)
        for start in range(0, len(pairs), 2000)
    ]
    np.save(args.out, np.concatenate(parts))
    np.save(args.out.with_suffix(".queries.npy"), encoder.encode_queries([query for query, _ in pairs[:2000]]))


if __name__ == "__main__":
    main()
