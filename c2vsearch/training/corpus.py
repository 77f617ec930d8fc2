"""The distinct texts of a mining run and their rows, which lie in a file so that memory does not bound them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder import Encoder
from c2vsearch.index.lexical import LexicalIndex, write_version
from c2vsearch.records import Chunk
from c2vsearch.training.lines import plain

Rows = NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
ENCODED_AT_ONCE = 256
CONTAINED_WORDS = 8

_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """Its words alone, folded: two texts that differ in case, space or punctuation are one text.

    A text without any word is itself.

    >>> normalised("The  Ferry, again!")
    'the ferry again'
    """
    return " ".join(_WORD.findall(text.casefold())) or text.strip()


def same_text(first: str, second: str) -> bool:
    """Whether two normalised texts are equal, or one of at least 8 words stands word for word in the other.

    >>> same_text("a", "a b"), same_text("one two three four five six seven eight", "zero one two three four five \
six seven eight nine")
    (False, True)
    """
    short, long = sorted((first, second), key=len)
    if short == long:
        return True
    return short.count(" ") >= CONTAINED_WORDS - 1 and f" {short} " in f" {long} "


class Corpus:
    """Texts by number, each once. Texts of one ``key`` are one text, and the first of them is kept.

    Args:
        key: By default case, spaces and punctuation do not count.

    >>> corpus = Corpus()
    >>> corpus.add("A ferry."), corpus.add("Bread"), corpus.add("a  ferry")
    (0, 1, 0)
    """

    def __init__(self, key: Callable[[str], str] = normalised) -> None:
        self.texts: list[str] = []
        self._key = key
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, text: str) -> int:
        """The number of a text, a new one if it is new."""
        number = self._numbers.setdefault(self._key(text), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def find(self, text: str) -> int | None:
        """The number of a text, if it is there."""
        return self._numbers.get(self._key(text))

    def encode(self, encoder: Encoder, path: Path, *, max_chars: int, on_progress: Progress | None = None) -> Rows:
        """Encode every text as a document into a file of float32, mapped into memory.

        Args:
            encoder: What encodes.
            path: A file to be made, 4 D bytes a text.
            max_chars: Longer texts are cut.
            on_progress: Called now and then.

        Shape: (N, D).
        """
        shape = (len(self.texts), encoder.fingerprint.dim)
        if not self.texts:
            return np.empty(shape, dtype=np.float32)
        rows = np.memmap(path, dtype=np.float32, mode="w+", shape=shape)
        # Texts of like length stand together: less padding, and no core waits long for another.
        order = sorted(range(len(self.texts)), key=lambda number: len(self.texts[number]))
        for start in range(0, len(order), ENCODED_AT_ONCE):
            numbers = order[start : start + ENCODED_AT_ONCE]
            rows[numbers] = encoder.encode_documents([plain(self.texts[number][:max_chars]) for number in numbers])
            if on_progress:
                on_progress("encoding texts", start + len(numbers), len(order))
        return rows

    def lexical(self, place: Path, *, max_chars: int) -> LexicalIndex:
        """A BM25 index of the texts, each under its number, in a directory to be made."""
        write_version(place, previous=(), added=self._chunks(max_chars), removed=())
        return LexicalIndex(sorted(path for path in place.iterdir() if path.is_file()))

    def _chunks(self, max_chars: int) -> Iterator[tuple[str, Chunk]]:
        for number, text in enumerate(self.texts):
            name, body = str(number), plain(text[:max_chars])
            yield name, Chunk(name, name, name, 0, len(body), body, 1, 1)
