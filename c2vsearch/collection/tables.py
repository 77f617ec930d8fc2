"""The two small tables beside the shards: rows that no longer count, and how each source stood."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from c2vsearch import artifacts
from c2vsearch.collection.manifest import SourceState
from c2vsearch.errors import CorruptFile
from c2vsearch.records import FileReport, FileStatus
from c2vsearch.shards.text import decode_source, encode_source

Deletes = dict[str, set[int]]

_DELETES = pa.schema([("shard", pa.string()), ("row", pa.int64())])
_REFUSED = ("member", "status", "reason", "detail")
_SOURCES = pa.schema(
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


def write_deletes(directory: Path, deletes: Deletes) -> Path:
    """Write deletion vectors. Columns: shard (file name), row."""
    pairs = [(shard, row) for shard in sorted(deletes) for row in sorted(deletes[shard])]
    return _write(directory, pa.table({"shard": [s for s, _ in pairs], "row": [r for _, r in pairs]}, schema=_DELETES))


def read_deletes(path: Path) -> Deletes:
    """Read deletion vectors."""
    deletes: Deletes = {}
    for record in _read(path).to_pylist():
        deletes.setdefault(record["shard"], set()).add(record["row"])
    return deletes


def write_sources(directory: Path, sources: Iterable[SourceState]) -> Path:
    """Write the state of every source, in order of its name."""
    records = []
    for state in sorted(sources, key=lambda state: encode_source(state.source)):
        record = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
        record["source"] = encode_source(state.source)
        record["detail"] = encode_source(state.detail)
        record["refused"] = [
            {name: encode_source(getattr(report, name)) for name in _REFUSED} for report in state.refused
        ]
        records.append(record)
    return _write(directory, pa.Table.from_pylist(records, schema=_SOURCES))


def read_sources(path: Path) -> dict[str, SourceState]:
    """Read the state of every source, by its name."""
    states = {}
    for record in _read(path).to_pylist():
        source, record["detail"] = decode_source(record.pop("source")), decode_source(record["detail"])
        record["refused"] = tuple(_refusal(source, refused) for refused in record["refused"])
        states[source] = SourceState(source, **record)
    return states


def _refusal(source: str, record: dict[str, str]) -> FileReport:
    member, status, reason, detail = (decode_source(record[name]) for name in _REFUSED)
    return FileReport(source, cast(FileStatus, status), reason, detail, member=member)


def _write(directory: Path, table: pa.Table) -> Path:
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    data = buffer.getvalue().to_pybytes()
    path = directory / f"{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    artifacts.write_bytes(path, data)
    return path


def _read(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path, memory_map=False, page_checksum_verification=True) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise CorruptFile(f"{path} is damaged ({str(error).splitlines()[0][:120]}); build the index again") from error
