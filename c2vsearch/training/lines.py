"""Lines of pairs files as they are: every field kept, every line with its place. `pairs` is what training reads."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from c2vsearch import artifacts
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.terminal import visible_line


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the texts, stripped, and ``row``, the whole object as it was read."""

    place: str
    query: str
    positive: str
    negatives: tuple[str, ...]
    group: str
    row: dict[str, Any]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from: no query or no positive."""
        return not (self.query and self.positive)


def read_lines(paths: Sequence[Path]) -> Iterator[Line]:
    """The lines of some ``.jsonl`` and ``.jsonl.xz`` files, in order. Blank lines are nothing.

    Raises:
        InvalidDataset: A file cannot be read, or a line is not an object with ``query`` and ``positive`` (and
            ``negatives``, a list of texts, if it has them); the message names file and line.
    """
    for path in paths:
        for number, data in _data(path):
            if data.strip():
                yield _line(f"{visible_line(str(path))} line {number}", data)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write objects, one a line, compressed if the name ends in ``.xz``; the file is whole or as it was before.

    Raises:
        StorageFull: The disk is full.
    """

    def write(temporary: Path) -> None:
        with lzma.open(temporary, "wb", preset=3) if path.suffix == ".xz" else temporary.open("wb") as file:
            for row in rows:
                file.write(_encoded(row) + b"\n")

    artifacts.write_atomically(path, write)


def check_output(path: Path) -> None:
    """Before an hour of work: the place to write to can be a file.

    Raises:
        InvalidConfig: It is a directory.
    """
    if path.is_dir():
        raise InvalidConfig(f"{visible_line(str(path))} is a directory; expected a file to write")


def check_read_again(second: int, first: int) -> None:
    """What is read twice must be the same twice.

    Raises:
        InvalidDataset: The counts of lines differ.
    """
    if second != first:
        raise InvalidDataset(
            f"{first} lines were read first and {second} when they were read again; expected files nobody writes to"
        )


def plain(text: str) -> str:
    r"""A text that every tokenizer takes: half a surrogate pair, which JSON can hold, becomes a question mark.

    >>> plain("half \ud83d")
    'half ?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _encoded(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair can only be written as an escape
        return json.dumps(row).encode("ascii")


def _data(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.exists() and not path.is_file():
        raise InvalidDataset(f"{visible_line(str(path))} is not a file; expected one, because it is read twice")
    try:
        with _open(path) as file:
            yield from enumerate(file, start=1)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise InvalidDataset(f"{visible_line(str(path))} cannot be read: {error}") from error


def _open(path: Path) -> IO[bytes]:
    return lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb")


def _line(place: str, data: bytes) -> Line:
    try:
        row = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidDataset(f"{place}: not JSON in UTF-8 ({error}); expected an object a line") from error
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("query", "positive")):
        raise InvalidDataset(f"{place}: expected an object with the texts query and positive")
    negatives, group = row.get("negatives") or [], row.get("group") or ""
    if not isinstance(negatives, list) or not all(isinstance(text, str) and text.strip() for text in negatives):
        raise InvalidDataset(f"{place}: negatives is not a list of texts that say something")
    if not isinstance(group, str):
        raise InvalidDataset(f"{place}: group is {group!r}; expected a text")
    return Line(place, row["query"].strip(), row["positive"].strip(), tuple(negatives), group, row)
