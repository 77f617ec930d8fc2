"""One shard, read lazily: the rows of some hits, all vectors, or the hashes that say what is already embedded."""

from __future__ import annotations

import hashlib
import json
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, IncompatibleVersion
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards.checked import CheckedFile, block_hashes
from c2vsearch.shards.fields import PREFIX, metadata, types_of
from c2vsearch.shards.recent import RecentTables
from c2vsearch.shards.schema import CODEC_KEY, CODES, FINGERPRINT_KEY, FORMAT_KEY, FORMAT_WITH_CODES, FORMATS, is_shard
from c2vsearch.shards.text import decode_source, encode_source

TEXT_COLUMNS = [
    "chunk_id", "doc_id", "source", "member", "kind", "start", "end", "start_line", "end_line", "page",
    "heading_path", "title", "context", "text", "tokens", "hash",
]  # fmt: skip
REPAIR = "restore the file, or build the index again with `c2vsearch index DIR --rebuild`"
# What pyarrow raises for a file that is not what it seems; its own errors are among them.
_BROKEN = (OSError, pa.ArrowException, ValueError, KeyError, OverflowError, MemoryError)


class Place(NamedTuple):
    """Where a chunk stands: its row in the shard, its file, what it is in inside of that, its first character."""

    row: int
    source: str
    member: str
    start: int


class Shard:
    """An immutable file of rows. Every byte read was compared with the recorded hash of its block.

    Args:
        path: The file.
        size_bytes: Its recorded size; 0 for the size it has now.
        blocks: The recorded hashes of its blocks; "" for a file nobody vouches for but its name, which is
            the hash of its bytes: it is read whole.
        recent: Keeps the chunks that are read, for several shards together; None to keep none.

    Raises:
        CorruptFile: The file is missing or damaged.
        IncompatibleVersion: The file was written in another format.
    """

    def __init__(
        self, path: Path, *, size_bytes: int = 0, blocks: str = "", recent: RecentTables | None = None
    ) -> None:
        self.path = path
        self._recent = recent or RecentTables(kept_bytes=0)
        self._lock = threading.Lock()  # one Parquet reader must not be used by two threads at once
        try:
            if not blocks:
                data = path.read_bytes()
                if not hashlib.sha256(data).hexdigest().startswith(path.stem):
                    raise CorruptFile(f"{path} is damaged: it is not the file of that name")
                size_bytes, blocks = len(data), block_hashes(data)
            self._checked = CheckedFile(path, size_bytes=size_bytes, blocks=blocks)
            self._file = pq.ParquetFile(self._checked, memory_map=False, page_checksum_verification=True)
            groups = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
            told = self._file.schema_arrow.metadata or {}
        except FileNotFoundError as error:
            raise CorruptFile(f"{path} is missing; {REPAIR}") from error
        except CorruptFile as error:
            raise CorruptFile(f"{error}; {REPAIR}") from error
        except _BROKEN as error:
            raise CorruptFile(f"{path} is damaged ({_first_line(error)}); {REPAIR}") from error
        found = told.get(FORMAT_KEY, b"?").decode(errors="replace")
        if found not in FORMATS:
            raise IncompatibleVersion(
                f"{path} has shard format {found}; this version of c2vsearch reads {' and '.join(FORMATS)}: upgrade "
                "c2vsearch, or build the index again with --rebuild"
            )
        self._metadata: dict[bytes, bytes] = told
        self._starts = np.cumsum([0, *groups])
        # Parquet selects a list by the name of what is in it, or by a prefix of that: the plain name does for both.
        self._text_columns = [*TEXT_COLUMNS, *(n for n in self._file.schema_arrow.names if n.startswith(PREFIX))]
        coded = found == FORMAT_WITH_CODES
        if not is_shard(self._file.schema_arrow, self.dim, codes=coded) or coded != bool(self.token_codec):
            raise CorruptFile(f"{path} has other columns than a shard; {REPAIR}")

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the vectors."""
        try:
            return Fingerprint(**json.loads(self._metadata[FINGERPRINT_KEY]))
        except (KeyError, ValueError, TypeError) as error:
            raise CorruptFile(f"{self.path} does not say what made its vectors; {REPAIR}") from error

    @property
    def dim(self) -> int:
        """Numbers in a row, D."""
        try:
            return int(self._file.schema_arrow.field("embedding").type.list_size)
        except (KeyError, AttributeError) as error:
            raise CorruptFile(f"{self.path} has no vectors; {REPAIR}") from error

    @property
    def token_codec(self) -> str:
        """The identity of what made the codes of token states; "" where there are none."""
        return self._metadata.get(CODEC_KEY, b"").decode(errors="replace")

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for; reads only the row groups they lie in."""
        wanted = np.asarray(rows, dtype=np.int64)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        found: dict[int, Chunk] = {}
        for group in np.unique(groups).tolist():
            inside = wanted[groups == group]
            records = self._texts(group).take(inside - self._starts[group]).to_pylist()
            found.update((row, _chunk(record)) for row, record in zip(inside.tolist(), records, strict=True))
        return [found[row] for row in wanted.tolist()]

    def _texts(self, group: int) -> pa.Table:
        return self._recent.get((self.path.name, group), lambda: self._read([group], self._text_columns))

    def iter_chunks(self) -> Iterator[Chunk]:
        """Every chunk, one row group in memory at a time."""
        for group in range(self._file.num_row_groups):
            for record in self._read([group], self._text_columns).to_pylist():
                yield _chunk(record)

    def vectors(self) -> NDArray[np.float16]:
        """All rows. Shape: (N, D)."""
        return self._vectors(list(range(self._file.num_row_groups)))

    def vectors_at(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """Some rows, in the order asked for. Shape: (len(rows), D)."""
        wanted = np.asarray(rows, dtype=np.int64)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        found = np.empty((len(wanted), self.dim), dtype=np.float16)
        for group in np.unique(groups).tolist():
            inside = groups == group
            found[inside] = self._vectors([group])[wanted[inside] - self._starts[group]]
        return found

    def token_codes(self, rows: Sequence[int]) -> list[bytes | None]:
        """The codes of some rows' token states, in the order asked for; None for a row without."""
        if not self.token_codec:
            return [None] * len(rows)
        wanted = np.asarray(rows, dtype=np.int64)
        groups = np.searchsorted(self._starts, wanted, side="right") - 1
        found: dict[int, bytes | None] = {}
        for group in np.unique(groups).tolist():
            inside = wanted[groups == group]
            codes = self._read([group], [CODES]).column(0).take(inside - self._starts[group]).to_pylist()
            found.update(zip(inside.tolist(), codes, strict=True))
        return [found[row] for row in wanted.tolist()]

    def column(self, name: str) -> list[Any]:
        """One whole column, such as ``hash`` or ``source``."""
        values: list[Any] = self._read(list(range(self._file.num_row_groups)), [name]).column(0).to_pylist()
        return [decode_source(value) for value in values] if name == "source" else values

    @property
    def fields(self) -> dict[str, str]:
        """The fields of metadata it has, with their types as `c2vsearch.shards.fields.TYPES` calls them."""
        return types_of(self._file.schema_arrow)

    def table(self, names: Sequence[str]) -> pa.Table:
        """Some whole columns as they are stored, those of them that it has."""
        wanted = set(names)
        there = [name for name in self._file.schema_arrow.names if name in wanted]
        return self._read(list(range(self._file.num_row_groups)), there)

    def places(self, sources: Iterable[str]) -> list[Place]:
        """Where the chunks of some files stand, in the order of the rows; the text of none is read."""
        columns = ["source", "member", "start"]
        names = sorted(map(encode_source, sources))
        wanted = pa.array(names, type=pa.string())
        places: list[Place] = []
        for group in self._groups_of(names):
            table = self._read([group], columns)
            inside = np.flatnonzero(pc.is_in(table.column("source"), value_set=wanted).to_numpy())
            found = table.take(inside)
            rows = (self._starts[group] + inside).tolist()
            places += map(
                Place, rows, map(decode_source, found["source"].to_pylist()), found["member"].to_pylist(),
                found["start"].to_pylist(),
            )  # fmt: skip
        return places

    def _groups_of(self, names: Sequence[str]) -> list[int]:
        """The row groups that may hold rows of some files, as stored and sorted, by the range of names of each."""
        column = self._file.schema_arrow.names.index("source")

        def may_hold(group: int) -> bool:
            told = self._file.metadata.row_group(group).column(column).statistics
            if told is None or not told.has_min_max:
                return True
            at = bisect_left(names, told.min)
            return at < len(names) and names[at] <= told.max

        return [group for group in range(self._file.num_row_groups) if may_hold(group)]

    def take(self, rows: Sequence[int]) -> pa.Table:
        """Some rows with all their columns, as they are stored."""
        return self._read(list(range(self._file.num_row_groups)), None).take(np.asarray(rows, dtype=np.int64))

    def _vectors(self, groups: list[int]) -> NDArray[np.float16]:
        column = self._read(groups, ["embedding"]).column(0)
        flat = pa.chunked_array([part.flatten() for part in column.chunks], type=pa.float16())
        return np.asarray(flat.to_numpy(), dtype=np.float16).reshape(-1, self.dim)

    def _read(self, groups: list[int], columns: list[str] | None) -> pa.Table:
        try:
            with self._lock:
                return self._file.read_row_groups(groups, columns=columns, use_threads=False)
        except CorruptFile as error:
            raise CorruptFile(f"{error}; {REPAIR}") from error
        except _BROKEN as error:
            raise CorruptFile(f"{self.path} is damaged ({_first_line(error)}); {REPAIR}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()
            self._checked.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _chunk(record: dict[str, Any]) -> Chunk:
    record["id"] = record.pop("chunk_id")
    record["source"] = decode_source(record["source"])
    record["heading_path"] = tuple(record["heading_path"])
    return Chunk(metadata=metadata(record), **record)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
