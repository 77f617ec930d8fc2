"""How each source stood: a table that is sorted by name, written and read a group of rows at a time.

However many sources there are, a few groups of them are in memory.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, ValuesView
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from c2vsearch import artifacts
from c2vsearch.collection.manifest import SourceState
from c2vsearch.errors import CorruptFile
from c2vsearch.records import FileReport, FileStatus
from c2vsearch.shards.text import decode_source, encode_source

GROUP_ROWS = 1024
OPEN_GROUPS = 4  # names are asked for nearly in order, by two threads at most

_REFUSED = ("member", "status", "reason", "detail")
# In the order of the fields of a `SourceState`.
_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("content_hash", pa.string()),
        ("doc_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("chunks", pa.int64()),
        ("documents", pa.int64()),
        ("refused", pa.list_(pa.struct([(name, pa.string()) for name in _REFUSED]))),
    ]
)
_PLAIN = ("size_bytes", "mtime_ns", "content_hash", "doc_id", "status", "reason", "chunks", "documents")


def write_sources(directory: Path, states: Iterable[SourceState]) -> Path:
    """Write the state of every source.

    Args:
        directory: Where such tables live.
        states: Each source once, in order of `stored_name`.

    Raises:
        StorageFull: The disk is full.
    """
    coming = iter(states)

    def write(path: Path) -> None:
        with (
            path.open("wb") as file,
            pq.ParquetWriter(file, _SCHEMA, compression="zstd", write_page_checksum=True) as writer,
        ):
            while group := list(islice(coming, GROUP_ROWS)):
                writer.write_table(_table(group))

    return artifacts.write_named_by_content(directory, write, suffix=".parquet")


def stored_name(state: SourceState) -> str:
    """What the table is sorted by."""
    return encode_source(state.source)


class SourceTable(Mapping[str, SourceState]):
    """The states of a version by name, in the order in which they are stored. Threads may share it.

    The file stays open, so that it can be read when the version is swept. Names that follow each other are quick to
    look up; one that lies far from the last few costs the reading of a group.

    Args:
        path: The file; None for a table of nothing.

    Raises:
        CorruptFile: It cannot be read; also when more of it is read later.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file = self._opened() if path is not None else None
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        metadata = self._file.metadata if self._file is not None else None
        counts = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] if metadata else []
        self._filled = [number for number, count in enumerate(counts) if count]
        self._starts: list[int] = [0, *accumulate(counts[number] for number in self._filled)]
        self._firsts: list[str] = [self._read(number, ["source"]).column(0)[0].as_py() for number in self._filled]

    def row(self, source: str) -> int | None:
        """The place of a source in the order of the table; None when it has none."""
        name = encode_source(source)
        number = bisect_right(self._firsts, name) - 1
        inside = self._group(number).places.get(name) if number >= 0 else None
        return None if inside is None else self._starts[number] + inside

    def state(self, row: int) -> SourceState:
        """The state at a place."""
        number = bisect_right(self._starts, row) - 1
        return SourceState(*self._group(number).fields[row - self._starts[number]])

    def __getitem__(self, source: str) -> SourceState:
        row = self.row(source)
        if row is None:
            raise KeyError(source)
        return self.state(row)

    def __contains__(self, source: object) -> bool:
        return isinstance(source, str) and self.row(source) is not None

    def __iter__(self) -> Iterator[str]:
        return (decode_source(name) for group in self.groups() for name in group.places)

    def values(self) -> ValuesView[SourceState]:
        """All states in order, without looking each of them up."""
        return _States(self)

    def __len__(self) -> int:
        return self._starts[-1]

    def __repr__(self) -> str:
        return f"<{len(self)} sources of {self._path}>"

    def groups(self) -> Iterator[_Group]:
        """Rows that follow each other, a few of them in memory."""
        return map(self._group, range(len(self._filled)))

    def _group(self, number: int) -> _Group:
        with self._lock:
            if number not in self._groups:
                self._groups[number] = _group(self._read(self._filled[number]))
                if len(self._groups) > OPEN_GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(number)
            return self._groups[number]

    def _opened(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._path, memory_map=False, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def _read(self, number: int, columns: list[str] | None = None) -> pa.Table:
        assert self._file is not None
        try:
            return self._file.read_row_group(number, columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> CorruptFile:
        return CorruptFile(f"{self._path} is damaged ({str(error).splitlines()[0][:120]}); build the index again")


class _States(ValuesView[SourceState]):
    def __init__(self, table: SourceTable) -> None:
        super().__init__(table)
        self._groups = table.groups

    def __iter__(self) -> Iterator[SourceState]:
        return (SourceState(*fields) for group in self._groups() for fields in group.fields)


class _Group(NamedTuple):
    """Rows that follow each other: their places by stored name, and the fields of the states."""

    places: dict[str, int]
    fields: list[tuple[Any, ...]]


def _group(table: pa.Table) -> _Group:
    columns = {name: table.column(name).to_pylist() for name in _SCHEMA.names if name != "refused"}
    places = {name: place for place, name in enumerate(columns["source"])}
    columns["source"] = list(map(decode_source, columns["source"]))
    columns["detail"] = list(map(decode_source, columns["detail"]))
    columns["refused"] = _refusals(table.column("refused"), columns["source"])
    return _Group(places, list(zip(*(columns[name] for name in _SCHEMA.names), strict=True)))


def _refusals(column: pa.ChunkedArray, sources: list[str]) -> list[tuple[FileReport, ...]]:
    if not any(len(part.flatten()) for part in column.chunks):  # structs are slow to unpack, and hardly a file has any
        return [()] * len(sources)
    return [
        tuple(_refusal(source, record) for record in records)
        for source, records in zip(sources, column.to_pylist(), strict=True)
    ]


def _table(states: list[SourceState]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [getattr(state, name) for state in states] for name in _PLAIN}
    columns["source"] = [encode_source(state.source) for state in states]
    columns["detail"] = [encode_source(state.detail) for state in states]
    columns["refused"] = [
        [{name: encode_source(getattr(report, name)) for name in _REFUSED} for report in state.refused]
        for state in states
    ]
    return pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _refusal(source: str, record: Mapping[str, str]) -> FileReport:
    member, status, reason, detail = (decode_source(record[name]) for name in _REFUSED)
    return FileReport(source, cast(FileStatus, status), reason, detail, member=member)
