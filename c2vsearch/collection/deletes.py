"""The table of rows that no longer count."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from c2vsearch import artifacts
from c2vsearch.errors import CorruptFile

Deletes = dict[str, set[int]]

_SCHEMA = pa.schema([("shard", pa.string()), ("row", pa.int64())])


def write_deletes(directory: Path, deletes: Deletes) -> Path:
    """Write deletion vectors. Columns: shard (file name), row."""
    pairs = [(shard, row) for shard in sorted(deletes) for row in sorted(deletes[shard])]
    table = pa.table({"shard": [s for s, _ in pairs], "row": [r for _, r in pairs]}, schema=_SCHEMA)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    return artifacts.write_named_by_content(directory, write, suffix=".parquet")


def read_deletes(path: Path) -> Deletes:
    """Read deletion vectors.

    Raises:
        CorruptFile: It cannot be read.
    """
    try:
        with pq.ParquetFile(path, memory_map=False, page_checksum_verification=True) as file:
            records = file.read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise CorruptFile(f"{path} is damaged ({str(error).splitlines()[0][:120]}); build the index again") from error
    deletes: Deletes = {}
    for record in records:
        deletes.setdefault(record["shard"], set()).add(record["row"])
    return deletes
