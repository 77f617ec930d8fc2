"""Texts as people may ask for what an index holds, and their vectors: an approximate index is calibrated with them.

Rows alone would flatter it: a row lies among its neighbours, a question beside them. Three sorts are made of chunks
drawn at random: a heading, the beginning of a sentence, and a few telling words. They are kept with the index, so that
what is built later without a model is calibrated with them as well.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.errors import CorruptFile
from c2vsearch.records import Chunk
from c2vsearch.shards.text import storable

OF_A_SORT = 100
DRAWN = 4 * OF_A_SORT
SENTENCE_WORDS = (4, 14)
TELLING_WORDS = 4
_WORD = re.compile(r"[^\W\d_][\w-]{2,}")

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Questions:
    """Texts, what sort each is of, and their unit vectors. ``rows`` is how many rows the index had when they were made.

    Shape: vectors (Q, D).
    """

    texts: tuple[str, ...]
    sorts: tuple[str, ...]
    vectors: NDArray[np.float32]
    rows: int

    def __len__(self) -> int:
        return len(self.texts)


def no_questions(dim: int) -> Questions:
    """None, for an index that is built without a model."""
    return Questions((), (), np.empty((0, dim), dtype=np.float32), 0)


def ask(chunks: Sequence[Chunk], encode: Encode, *, rows: int, seed: int = 0) -> Questions:
    """Questions for some chunks, at most `OF_A_SORT` of each sort.

    Args:
        chunks: Drawn at random from the index.
        encode: Queries to unit vectors.
        rows: How many rows the index has.
        seed: Of the words that are drawn.

    >>> chunk = Chunk("", "", "a.md", 0, 24, "A ferry leaves at nine.", 1, 1, heading_path=("Guide", "Ferries"))
    >>> list(zip(*texts([chunk], seed=0)))
    [('heading', 'Guide Ferries'), ('sentence', 'A ferry leaves at nine.'), ('words', 'ferry leaves nine')]
    """
    sorts, asked = texts(chunks, seed=seed)
    return Questions(tuple(asked), tuple(sorts), encode(asked), rows)


def texts(chunks: Sequence[Chunk], *, seed: int) -> tuple[list[str], list[str]]:
    """The sort and the text of each question, in an order that depends on the seed alone."""
    chance = random.Random(seed)
    common = Counter(word for chunk in chunks for word in set(_words(chunk.text)))
    made: dict[str, dict[str, None]] = {"heading": {}, "sentence": {}, "words": {}}
    for chunk in chunks:
        made["heading"][" ".join((*chunk.heading_path[-2:],) or (chunk.title,))] = None
        made["sentence"][_sentence(chunk.text, chance)] = None
        telling = sorted(set(_words(chunk.text)), key=lambda word: (common[word], -len(word), word))[:TELLING_WORDS]
        made["words"][" ".join(sorted(telling))] = None
    pairs = [(sort, text) for sort, found in made.items() for text in [*filter(None, found)][:OF_A_SORT]]
    return [sort for sort, _ in pairs], [text for _, text in pairs]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _sentence(text: str, chance: random.Random) -> str:
    """The beginning of one of its sentences; nothing where all are short."""
    least, most = SENTENCE_WORDS
    long = [words for start, end in sentence_spans(text) if len(words := text[start:end].split()) >= least]
    return " ".join(chance.choice(long)[:most]) if long else ""


def write_questions(directory: Path, questions: Questions) -> Path:
    """Keep them."""
    flat = pa.array(questions.vectors.astype(np.float32).reshape(-1), type=pa.float32())
    table = pa.table(
        {
            "sort": list(questions.sorts),
            "text": [storable(text) for text in questions.texts],
            "embedding": pa.FixedSizeListArray.from_arrays(flat, questions.vectors.shape[1]),
        }
    ).replace_schema_metadata({"rows": str(questions.rows)})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    data = buffer.getvalue().to_pybytes()
    path = directory / f"{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    artifacts.write_bytes(path, data)
    return path


def read_questions(path: Path) -> Questions:
    """Read what was kept, from a file that was verified.

    Raises:
        CorruptFile: It is not what `write_questions` writes.
    """
    try:
        with pq.ParquetFile(path, memory_map=False, page_checksum_verification=True) as file:
            table = file.read()
        flat = pa.chunked_array([part.flatten() for part in table["embedding"].chunks], type=pa.float32()).to_numpy()
        vectors = np.asarray(flat, dtype=np.float32).reshape(table.num_rows, -1)
        return Questions(
            tuple(table["text"].to_pylist()), tuple(table["sort"].to_pylist()), vectors,
            int(table.schema.metadata[b"rows"]),
        )  # fmt: skip
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise CorruptFile(f"{path} is damaged ({str(error).splitlines()[0][:120]}); build the index again") from error
