"""Many small records in little memory: as pages of compressed bytes, not as objects. Knows no domain.

A record of a few strings and numbers costs some hundred bytes as a Python object, and about a tenth of that in a page
beside others like it. Pages are JSON, as it neither runs code nor takes one type for another.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, index
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

PAGE_RECORDS = 256  # unpacked at once: enough to compress well, few enough to be nothing
RUN_RECORDS = 16 * PAGE_RECORDS  # sorted at once


class PackedSequence(Sequence[T]):
    """A sequence to append to, of flat dataclasses: their fields are strings and whole numbers.

    Records are made anew each time they are taken, and equal those that were put in. As a whole it equals any
    sequence of equal records.

    Args:
        kind: The dataclass.

    >>> from c2vsearch.records import FileReport
    >>> reports = PackedSequence(FileReport)
    >>> reports.append(FileReport("a.md", "added", chunks=2))
    >>> len(reports), reports[0].chunks, list(reports) == [FileReport("a.md", "added", chunks=2)]
    (1, 2, True)
    """

    def __init__(self, kind: Callable[..., T]) -> None:
        self._kind = kind
        self._names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self._blocks = _Blocks(PAGE_RECORDS, _packed)

    def append(self, record: T) -> None:
        """Put a record at the end."""
        self._blocks.append(attrgetter(*self._names)(record))

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[T]:
        for page in self._blocks.closed:
            for fields in _unpacked(page):
                yield self._kind(*fields)
        for fields in self._blocks.open:
            yield self._kind(*fields)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        number, inside = divmod(range(len(self))[place], PAGE_RECORDS)
        pages = self._blocks.closed
        return self._kind(*(_unpacked(pages[number]) if number < len(pages) else self._blocks.open)[inside])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} of {getattr(self._kind, '__name__', self._kind)}>"


class PackedSorter:
    """Tuples put in in any order and taken out sorted; equal keys in the order they were put in.

    They hold strings, whole numbers, and tuples of those, which may come back as lists.

    Runs are sorted as they fill up and merged when they are taken out, as often as they are: of each run one page is
    unpacked at a time.

    Args:
        key: What to sort by.

    >>> sorter = PackedSorter(key=lambda record: record[0])
    >>> for record in [("b", 1), ("a", 2), ("b", 0)]:
    ...     sorter.append(record)
    >>> list(sorter)
    [('a', 2), ('b', 1), ('b', 0)]
    """

    def __init__(self, *, key: Callable[[tuple[Any, ...]], Any]) -> None:
        self._key = key
        self._blocks = _Blocks(RUN_RECORDS, self._run)

    def append(self, record: tuple[Any, ...]) -> None:
        """Put a record in."""
        self._blocks.append(record)

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        runs = [_records(run) for run in self._blocks.closed]
        return heapq.merge(*runs, sorted(self._blocks.open, key=self._key), key=self._key)

    def _run(self, records: list[tuple[Any, ...]]) -> list[bytes]:
        ordered = sorted(records, key=self._key)
        return [_packed(ordered[start : start + PAGE_RECORDS]) for start in range(0, len(ordered), PAGE_RECORDS)]


Block = TypeVar("Block")


class _Blocks(Generic[Block]):
    """What was appended: closed blocks of a fixed number of records, and the open one.

    Ctrl-C may fall between any two steps, and then every record is still there once: the open block has a number, and
    one whose number is taken has been closed.
    """

    def __init__(self, records: int, close: Callable[[list[tuple[Any, ...]]], Block]) -> None:
        self.closed: list[Block] = []
        self._records, self._close = records, close
        self._last: tuple[int, list[tuple[Any, ...]]] = (0, [])

    def append(self, record: tuple[Any, ...]) -> None:
        number, records = self._last
        if len(records) == self._records:
            if number == len(self.closed):
                self.closed.append(self._close(records))
            self._last = number, records = number + 1, []
        records.append(record)

    @property
    def open(self) -> list[tuple[Any, ...]]:
        number, records = self._last
        return records if number == len(self.closed) else []

    def __len__(self) -> int:
        return len(self.closed) * self._records + len(self.open)


def _records(pages: list[bytes]) -> Iterator[tuple[Any, ...]]:
    for page in pages:
        yield from _unpacked(page)


def _packed(records: list[tuple[Any, ...]]) -> bytes:
    # The whole numbers of other libraries are written as those that they are; lone surrogates of file names stay.
    text = json.dumps(records, ensure_ascii=False, separators=(",", ":"), default=index)
    return zlib.compress(text.encode("utf-8", "surrogatepass"), level=1)


def _unpacked(page: bytes) -> list[tuple[Any, ...]]:
    return [tuple(record) for record in json.loads(zlib.decompress(page).decode("utf-8", "surrogatepass"))]
