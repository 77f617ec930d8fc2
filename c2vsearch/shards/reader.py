"""One shard, read lazily: the rows of some hits, all vectors, or the hashes that say what is already embedded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, IncompatibleVersion
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards.schema import FINGERPRINT_KEY, FORMAT, FORMAT_KEY, decode_source

TEXT_COLUMNS = [
    "chunk_id", "doc_id", "source", "start", "end", "start_line", "end_line", "page",
    "heading_path", "title", "context", "text", "tokens", "hash",
]  # fmt: skip
REPAIR = "restore the file, or build the index again with `c2vsearch index DIR --rebuild`"


class Shard:
    """An immutable file of rows. Every page read is checked against its checksum.

    Raises:
        CorruptFile: The file is missing or damaged.
        IncompatibleVersion: The file was written in another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Memory mapping is off: a file truncated under a map would kill the process.
            self._file = pq.ParquetFile(path, memory_map=False, page_checksum_verification=True)
        except FileNotFoundError as error:
            raise CorruptFile(f"{path} is missing; {REPAIR}") from error
        except (OSError, pa.ArrowException) as error:
            raise CorruptFile(f"{path} is damaged ({_first_line(error)}); {REPAIR}") from error
        found = (self._file.schema_arrow.metadata or {}).get(FORMAT_KEY, b"?").decode(errors="replace")
        if found != FORMAT:
            raise IncompatibleVersion(f"{path} has shard format {found}; this version of c2vsearch reads {FORMAT}")
        groups = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = np.cumsum([0, *groups])

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the vectors."""
        try:
            return Fingerprint(**json.loads((self._file.schema_arrow.metadata or {})[FINGERPRINT_KEY]))
        except (KeyError, ValueError, TypeError) as error:
            raise CorruptFile(f"{self.path} does not say what made its vectors; {REPAIR}") from error

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for; reads only the row groups they lie in."""
        if not rows:
            return []
        wanted = np.asarray(rows)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        found: dict[int, Chunk] = {}
        for group in sorted(set(groups.tolist())):
            table = self._read([group], TEXT_COLUMNS)
            for row in wanted[groups == group].tolist():
                # A slice a row: `take` would load pyarrow's compute module, a noticeable part of a cold query.
                [record] = table.slice(row - int(self._starts[group]), 1).to_pylist()
                found[row] = _chunk(record)
        return [found[row] for row in rows]

    def iter_chunks(self) -> Iterator[Chunk]:
        """Every chunk, one row group in memory at a time."""
        for group in range(self._file.num_row_groups):
            for record in self._read([group], TEXT_COLUMNS).to_pylist():
                yield _chunk(record)

    def vectors(self) -> NDArray[np.float16]:
        """All rows. Shape: (N, D)."""
        return self._vectors(list(range(self._file.num_row_groups)))

    def vectors_at(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """Some rows, in the order asked for. Shape: (len(rows), D)."""
        wanted = np.asarray(rows, dtype=np.int64)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        found = np.empty((len(wanted), self.dim), dtype=np.float16)
        for group in np.unique(groups):
            inside = groups == group
            found[inside] = self._vectors([int(group)])[wanted[inside] - self._starts[group]]
        return found

    @property
    def dim(self) -> int:
        """Numbers in a row, D."""
        return int(self._file.schema_arrow.field("embedding").type.list_size)

    def column(self, name: str) -> list[Any]:
        """One whole column, such as ``hash`` or ``source``."""
        values: list[Any] = self._read(list(range(self._file.num_row_groups)), [name]).column(0).to_pylist()
        return [decode_source(value) for value in values] if name == "source" else values

    def _vectors(self, groups: list[int]) -> NDArray[np.float16]:
        column = self._read(groups, ["embedding"]).column(0).combine_chunks()
        dim = column.type.list_size
        flat = column.chunk(0).flatten() if isinstance(column, pa.ChunkedArray) else column.flatten()
        return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float16).reshape(-1, dim)

    def _read(self, groups: list[int], columns: list[str]) -> pa.Table:
        try:
            return self._file.read_row_groups(groups, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise CorruptFile(f"{self.path} is damaged ({_first_line(error)}); {REPAIR}") from error


def _chunk(record: dict[str, Any]) -> Chunk:
    record["id"] = record.pop("chunk_id")
    record["source"] = decode_source(record["source"])
    record["heading_path"] = tuple(record["heading_path"])
    return Chunk(**record)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
