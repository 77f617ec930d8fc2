"""Does a training text stand in an evaluation set? Equal to a query or a document of it, or 16 words in a row.

Texts are compared by their words, folded: case, spaces and punctuation do not count. Of the evaluation sets only
64-bit hashes are kept, 8 bytes for every word at most, so a check costs little memory however much is trained on.
Two different runs have one hash about once in 10^19; such an accident costs one training line.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import InvalidDataset
from c2vsearch.terminal import visible_line

Hashes = NDArray[np.uint64]
RUN_WORDS = 16
FILES = ("queries.jsonl", "corpus.jsonl")

_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word is lost by multiplying


class EvaluationTexts:
    """The texts of evaluation sets, as hashes.

    >>> texts = EvaluationTexts(queries=["When does the ferry leave?"], documents=["It leaves at nine."])
    >>> texts.leak(["when does the Ferry leave"]), texts.leak(["at nine"])
    ('query', None)
    """

    def __init__(self, *, queries: Iterable[str], documents: Iterable[str], run_words: int = RUN_WORDS) -> None:
        self._run_words = run_words
        whole: dict[str, set[int]] = {"query": set(), "document": set()}
        runs: list[Hashes] = []
        for kind, texts in (("query", queries), ("document", documents)):
            for text in texts:
                hashes = _word_hashes(text)
                if len(hashes):
                    whole[kind].add(_whole(hashes))
                    runs.append(_runs(hashes, run_words))
        self._whole = whole
        self._runs: Hashes = np.unique(np.concatenate(runs)) if runs else np.empty(0, dtype=np.uint64)

    @classmethod
    def read(cls, folders: Sequence[Path]) -> EvaluationTexts:
        """Read folders in BEIR layout; a document counts with its title and without.

        Raises:
            InvalidDataset: A folder holds neither ``queries.jsonl`` nor ``corpus.jsonl``, or a line cannot be read.
        """
        for folder in folders:
            if not any((folder / name).is_file() for name in FILES):
                raise InvalidDataset(
                    f"{visible_line(str(folder))} holds no {' and no '.join(FILES)}; expected BEIR layout"
                )
        queries = (row["text"] for folder in folders for row in _rows(folder / FILES[0]))
        documents = (text for folder in folders for row in _rows(folder / FILES[1]) for text in _versions(row))
        return cls(queries=queries, documents=documents)

    def leak(self, texts: Iterable[str]) -> str | None:
        """Why the first of some texts that leaks does: equal to a "query", a "document", or by a "run" of words."""
        for text in texts:
            hashes = _word_hashes(text)
            if not len(hashes):
                continue
            whole = _whole(hashes)
            for kind, known in self._whole.items():
                if whole in known:
                    return kind
            if self._shared(_runs(hashes, self._run_words)):
                return "run"
        return None

    def _shared(self, runs: Hashes) -> bool:
        if not len(self._runs) or not len(runs):
            return False
        places = np.minimum(np.searchsorted(self._runs, runs), len(self._runs) - 1)
        return bool((self._runs[places] == runs).any())


def words(text: str) -> list[str]:
    """The words that are compared.

    >>> words("The FERRY's late.")
    ['the', 'ferry', 's', 'late']
    """
    return _WORD.findall(text.casefold())


@functools.lru_cache(maxsize=1 << 18)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _word_hashes(text: str) -> Hashes:
    return np.array([_word_hash(word) for word in words(text)], dtype=np.uint64)


def _runs(hashes: Hashes, length: int) -> Hashes:
    """A hash for every run of so many words: a polynomial in the words' hashes. Shape: (T,) -> (T - length + 1,)."""
    count = len(hashes) - length + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(length):
        total = total * _FACTOR + hashes[place : place + count]
    return total


def _whole(hashes: Hashes) -> int:
    return int(_runs(hashes, len(hashes))[0])


def _versions(row: dict[str, str]) -> tuple[str, ...]:
    title = row.get("title")
    return (row["text"], f"{title} {row['text']}") if isinstance(title, str) and title.strip() else (row["text"],)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, data in enumerate(file, start=1):
            if not data.strip():
                continue
            try:
                row = json.loads(data.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise InvalidDataset(f"{visible_line(str(path))} line {number}: not JSON ({error})") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise InvalidDataset(f"{visible_line(str(path))} line {number}: expected an object with a text")
            yield row
