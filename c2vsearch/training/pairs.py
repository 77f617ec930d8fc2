"""Training pairs from ``*.jsonl`` and ``*.jsonl.xz`` files, mixed by weight, one source file a batch.

A batch from one file makes the other positives of the batch harder negatives than a mixed batch would.
"""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from c2vsearch.errors import InvalidDataset
from c2vsearch.terminal import visible_line


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and the text that answers it.

    ``group`` names texts of one page: never each other's negatives. ``negatives`` are texts that look like an answer
    and are none. ``scores`` are a teacher's cosines of the query with ``[positive, *negatives]``, or nothing.
    ``source`` names the data set, where a file holds several.
    """

    query: str
    positive: str
    group: str = ""
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    source: str = ""


def read_pairs(path: Path, *, max_chars: int = 4000) -> list[Pair]:
    """Read one file of pairs, texts cut to ``max_chars`` (the loop cuts to tokens anyway). Blank lines are nothing.

    Raises:
        InvalidDataset: The file cannot be read, or a line is not an object with a ``query`` and a ``positive`` that say
            something (and ``negatives``, ``scores``, ``group``, ``source`` of the right kind, where it has them); the
            message has the number of the line.
    """
    pairs = []
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    pairs.append(_pair(f"{visible_line(str(path))} line {number}", line, max_chars))
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise InvalidDataset(f"{visible_line(str(path))} cannot be read after line {number}: {error}") from error
    return pairs


def _pair(place: str, line: str, max_chars: int) -> Pair:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidDataset(f"{place}: not JSON ({error}); expected an object a line") from error
    if not isinstance(row, dict):
        raise InvalidDataset(f"{place}: {type(row).__name__} instead of an object with query and positive")
    query, positive = (_text(place, row, name, max_chars) for name in ("query", "positive"))
    negatives, scores = row.get("negatives") or [], row.get("scores") or []
    if not isinstance(negatives, list) or not all(isinstance(text, str) and text.strip() for text in negatives):
        raise InvalidDataset(f"{place}: negatives is not a list of texts that say something")
    if not isinstance(scores, list) or not all(_finite(score) for score in scores):
        raise InvalidDataset(f"{place}: scores is not a list of finite numbers")
    if scores and len(scores) != 1 + len(negatives):
        raise InvalidDataset(
            f"{place}: {len(scores)} scores for {len(negatives)} negatives; expected one for the positive and one for "
            "each negative"
        )
    labels = [row.get(name) or "" for name in ("group", "source")]
    if not all(isinstance(label, str) for label in labels):
        raise InvalidDataset(f"{place}: group and source must be texts")
    cut = tuple(_plain(text.strip()[:max_chars]) for text in negatives)
    return Pair(query, positive, labels[0], cut, tuple(map(float, scores)), labels[1])


def _text(place: str, row: dict[str, Any], name: str, max_chars: int) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InvalidDataset(f"{place}: {name} is {value!r:.60}; expected a text")
    if not value.strip():
        raise InvalidDataset(f"{place}: {name} is empty; expected a text, so mend or drop the line")
    return _plain(value.strip()[:max_chars])


def _plain(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and no tokenizer takes, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


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
