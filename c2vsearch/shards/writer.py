"""Chunks and their vectors to one immutable Parquet file, named after its content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards.checked import block_hashes
from c2vsearch.shards.codes import with_codes, without_empty
from c2vsearch.shards.fields import PREFIX, columns
from c2vsearch.shards.schema import (
    CHUNKING_KEY,
    CODEC_KEY,
    CODES,
    FINGERPRINT_KEY,
    FORMAT,
    FORMAT_KEY,
    FORMAT_WITH_CODES,
    SHARD_SUFFIX,
    schema,
)
from c2vsearch.shards.text import encode_source, storable

ROWS_PER_GROUP = 128  # a hit reads one group: half of what that takes is the same for a group of one row
MAX_TOLD = 3

_TEXTS = ("doc_id", "member", "kind", "title", "context", "text", "hash")
_NUMBERS = ("start", "end", "start_line", "end_line", "page", "tokens")
_EMBEDDING = "embedding.list.element"
# float16 numbers hardly compress, and plain pages are read five times as fast; so do codes, and so are they.
_COMPRESSION = {
    **{name: "zstd" for name in ("chunk_id", "source", "heading_path.list.element", *_TEXTS, *_NUMBERS)},
    _EMBEDDING: "none",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ShardFile:
    """A finished shard: where it is and what to compare it with when it is read."""

    path: Path
    rows: int
    size_bytes: int
    sha256: str
    blocks: str


def write_shard(
    directory: Path,
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    *,
    fingerprint: Fingerprint,
    chunking: ChunkingConfig,
    codes: Sequence[bytes | None] | None = None,
    codec: str = "",
) -> ShardFile:
    """Write one shard, durably.

    Args:
        directory: Where shards live.
        chunks: N chunks.
        vectors: Their unit rows. Shape: (N, D).
        fingerprint: What made the vectors; kept in the file.
        chunking: What made the chunks; kept in the file.
        codes: The codes of each chunk's token states, None for one without.
        codec: What made the codes; kept in the file.

    Raises:
        InvalidConfig: The vectors do not fit: another shape, or a row that is not a finite unit vector. Or there are
            codes of no codec, or for another number of chunks.
        StorageFull: The disk is full.
    """
    _check(chunks, vectors, fingerprint.dim)
    table = _table(chunks, vectors.astype(np.float16))
    if codes is not None:
        check_codes(codes, count=len(chunks), codec=codec)
        table = with_codes(table, codes)
    return write_table(directory, table, fingerprint=fingerprint, chunking=chunking, codec=codec)


def write_table(
    directory: Path, table: pa.Table, *, fingerprint: Fingerprint, chunking: ChunkingConfig, codec: str = ""
) -> ShardFile:
    """Write rows taken from other shards as one shard: nothing is converted, so nothing changes.

    Raises:
        InvalidConfig: Rows have codes, and ``codec`` does not say what made them.
        StorageFull: The disk is full.
    """
    table = without_empty(table)
    metadata = {
        FORMAT_KEY: FORMAT.encode(),
        FINGERPRINT_KEY: json.dumps(dataclasses.asdict(fingerprint), sort_keys=True).encode(),
        CHUNKING_KEY: json.dumps(dataclasses.asdict(chunking), sort_keys=True).encode(),
    }
    if CODES in table.column_names:  # without it the file stays one that earlier versions read
        _expect_codec(codec)
        metadata |= {FORMAT_KEY: FORMAT_WITH_CODES.encode(), CODEC_KEY: codec.encode()}
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(metadata),
        buffer,
        compression=_compression(table.schema),
        row_group_size=ROWS_PER_GROUP,
        use_dictionary=["doc_id", "source", "member", "kind", "title"],
        write_statistics=["source", "doc_id"],
        write_page_checksum=True,
    )
    data = buffer.getvalue().to_pybytes()
    sha256 = hashlib.sha256(data).hexdigest()
    path = directory / f"{sha256[:16]}{SHARD_SUFFIX}"
    artifacts.write_bytes(path, data)
    return ShardFile(path, table.num_rows, len(data), sha256, block_hashes(data))


def check_vectors(vectors: NDArray[np.float32], *, names: Sequence[str]) -> None:
    """Refuse rows that are not finite unit vectors. Shape: vectors (N, D).

    >>> check_vectors(np.array([[np.nan, 0.0]], dtype=np.float32), names=["a.md"])
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: the vector of 'a.md' has length nan; expected finite unit vectors
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= 1e-2))  # also true for NaN and infinity
    if len(wrong):
        told = ", ".join(repr(names[row]) for row in wrong[:MAX_TOLD])
        more = f" (and {len(wrong) - MAX_TOLD} more)" if len(wrong) > MAX_TOLD else ""
        raise InvalidConfig(f"the vector of {told}{more} has length {lengths[wrong[0]]}; expected finite unit vectors")


def check_codes(codes: Sequence[bytes | None], *, count: int, codec: str) -> None:
    """Refuse codes that are not one for each of ``count`` chunks, or of which nobody says what made them.

    >>> check_codes([b"codes", None], count=2, codec="")
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: there are token codes without a codec; expected the identity of what made them
    """
    if len(codes) != count:
        raise InvalidConfig(f"there are {len(codes)} token codes for {count} chunks; expected one, or None, for each")
    if any(code is not None for code in codes):
        _expect_codec(codec)


def _expect_codec(codec: str) -> None:
    if not codec:
        raise InvalidConfig("there are token codes without a codec; expected the identity of what made them")


def _check(chunks: Sequence[Chunk], vectors: NDArray[np.float32], dim: int) -> None:
    if vectors.shape != (len(chunks), dim):
        raise InvalidConfig(f"vectors have shape {vectors.shape}; expected ({len(chunks)}, {dim})")
    check_vectors(vectors, names=[chunk.source for chunk in chunks])


def _table(chunks: Sequence[Chunk], vectors: NDArray[np.float16]) -> pa.Table:
    values: dict[str, Any] = {
        "chunk_id": [storable(chunk.id) for chunk in chunks],
        "source": [encode_source(chunk.source) for chunk in chunks],
        "heading_path": [[storable(title) for title in chunk.heading_path] for chunk in chunks],
    }
    values |= {name: [storable(getattr(chunk, name)) for chunk in chunks] for name in _TEXTS}
    values |= {name: [getattr(chunk, name) for chunk in chunks] for name in _NUMBERS}
    flat = pa.array(vectors.reshape(-1), type=pa.float16())
    values["embedding"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pa.table(values, schema=schema(vectors.shape[1]))
    for name, column in columns([chunk.metadata for chunk in chunks]).items():
        table = table.append_column(name, column)
    return table


def _compression(schema: pa.Schema) -> dict[str, str]:
    """How each column is compressed, by what Parquet calls it."""
    fields = [field for field in schema if field.name.startswith(PREFIX)]
    leaves = [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in fields]
    codes = {CODES: "none"} if CODES in schema.names else {}
    return {**_COMPRESSION, **{name: "zstd" for name in leaves}, **codes}
