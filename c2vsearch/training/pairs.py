"""Training pairs from ``*.jsonl`` and ``*.jsonl.xz`` files, mixed by weight, one source file a batch.

A batch from one file makes the other positives of the batch harder negatives than a mixed batch would.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from c2vsearch.errors import InvalidDataset


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and the text that answers it. ``group`` names texts of one page: never each other's negatives."""

    query: str
    positive: str
    group: str = ""


def read_pairs(path: Path, *, max_chars: int = 4000) -> list[Pair]:
    """Read one file of pairs, texts cut to ``max_chars`` (the loop cuts to tokens anyway).

    Raises:
        InvalidDataset: A line is not an object with ``query`` and ``positive``; the message has its number.
    """
    pairs = []
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                query, positive = row["query"].strip(), row["positive"].strip()
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InvalidDataset(
                    f"{path.name} line {number}: {error!r}; expected an object with query and positive"
                ) from error
            if query and positive:
                pairs.append(Pair(query[:max_chars], positive[:max_chars], row.get("group") or ""))
    return pairs


def _open(path: Path) -> IO[str]:
    return lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8")


def batches(sources: dict[str, list[Pair]], weights: dict[str, float], *, size: int, seed: int) -> Iterator[list[Pair]]:
    """Endless batches, each of one source; a source is drawn in proportion to its pairs times its weight.

    No two pairs of a batch share a query or a positive: such a pair would be its own false negative.
    """
    import random

    generator = random.Random(seed)
    names = sorted(sources)
    chances = [len(sources[name]) * weights.get(name, 1.0) for name in names]
    while True:
        pairs = sources[generator.choices(names, chances)[0]]
        batch: list[Pair] = []
        seen: set[str] = set()
        for pair in generator.sample(pairs, min(len(pairs), size * 2)):
            if pair.query in seen or pair.positive in seen:
                continue
            seen.update((pair.query, pair.positive))
            batch.append(pair)
            if len(batch) == size:
                break
        yield batch
