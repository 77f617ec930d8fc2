"""Parquet and Arrow tables: one document a row. ``start_line`` of a hit is then the number of the row."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.fields import Record, documents
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.records import Document, FileReport

ROWS_AT_ONCE = 1_000
# The last two: times beyond those of Python, in zones nobody knows.
_BROKEN = (OSError, ValueError, ArithmeticError, LookupError)


def read_parquet(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A Parquet file.

    Raises:
        UnreadableDocument: "no-text-field" or "broken-parquet".
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(blob.data))
        yield from documents(_records(file.iter_batches(batch_size=ROWS_AT_ONCE)), blob, reading, kind="parquet")
    except (pa.ArrowException, *_BROKEN) as error:
        raise UnreadableDocument("broken-parquet", str(error).split("\n", 1)[0]) from error


def read_arrow(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """An Arrow IPC (Feather) file, or a stream of its batches.

    Raises:
        UnreadableDocument: "no-text-field" or "broken-arrow".
    """
    import pyarrow as pa

    try:
        if blob.data.startswith(b"ARROW1"):
            file = pa.ipc.open_file(io.BytesIO(blob.data))
            batches: Iterable[Any] = (file.get_batch(number) for number in range(file.num_record_batches))
        else:
            batches = pa.ipc.open_stream(io.BytesIO(blob.data))
        yield from documents(_records(batches), blob, reading, kind="arrow")
    except (pa.ArrowException, *_BROKEN) as error:
        raise UnreadableDocument("broken-arrow", str(error).split("\n", 1)[0]) from error


def _records(batches: Iterable[Any]) -> Iterator[Record]:
    row = 0
    for batch in batches:
        batch.validate(full=True)  # offsets of an Arrow file may point anywhere
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            for fields in batch.slice(start, ROWS_AT_ONCE).to_pylist():
                row += 1
                yield Record(row, fields)
