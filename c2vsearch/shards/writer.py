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
from c2vsearch.shards.schema import (
    CHUNKING_KEY,
    FINGERPRINT_KEY,
    FORMAT,
    FORMAT_KEY,
    SHARD_SUFFIX,
    encode_source,
    schema,
)

ROWS_PER_GROUP = 512  # a hit reads one group: small enough to be quick, large enough to compress


def write_shard(
    directory: Path,
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    *,
    fingerprint: Fingerprint,
    chunking: ChunkingConfig,
) -> Path:
    """Write one shard, durably, and return its path.

    Args:
        directory: Where shards live.
        chunks: N chunks.
        vectors: Their unit rows. Shape: (N, D).
        fingerprint: What made the vectors; kept in the file.
        chunking: What made the chunks; kept in the file.

    Raises:
        InvalidConfig: The vectors do not fit: another shape, or a row that is not a finite unit vector.
        StorageFull: The disk is full.
    """
    _check(chunks, vectors, fingerprint.dim)
    metadata = {
        FORMAT_KEY: FORMAT.encode(),
        FINGERPRINT_KEY: json.dumps(dataclasses.asdict(fingerprint), sort_keys=True).encode(),
        CHUNKING_KEY: json.dumps(dataclasses.asdict(chunking), sort_keys=True).encode(),
    }
    table = _table(chunks, vectors.astype(np.float16)).replace_schema_metadata(metadata)
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        use_dictionary=["doc_id", "source", "title"],
        write_page_checksum=True,
    )
    data = buffer.getvalue().to_pybytes()
    path = directory / f"{hashlib.sha256(data).hexdigest()[:16]}{SHARD_SUFFIX}"
    artifacts.write_bytes(path, data)
    return path


def _check(chunks: Sequence[Chunk], vectors: NDArray[np.float32], dim: int) -> None:
    if vectors.shape != (len(chunks), dim):
        raise InvalidConfig(f"vectors have shape {vectors.shape}; expected ({len(chunks)}, {dim})")
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.allclose(lengths, 1.0, atol=1e-2):  # also false for NaN and infinity
        worst = int(np.argmax(np.abs(np.nan_to_num(lengths, nan=np.inf) - 1.0)))
        raise InvalidConfig(
            f"the vector of {chunks[worst].source!r} has length {lengths[worst]}; expected finite unit vectors"
        )


def _table(chunks: Sequence[Chunk], vectors: NDArray[np.float16]) -> pa.Table:
    columns: dict[str, Any] = {
        "chunk_id": [chunk.id for chunk in chunks],
        "source": [encode_source(chunk.source) for chunk in chunks],
        "heading_path": [list(chunk.heading_path) for chunk in chunks],
    }
    layout = schema(vectors.shape[1])
    for field in layout:
        if field.name not in columns and field.name != "embedding":
            columns[field.name] = [getattr(chunk, field.name) for chunk in chunks]
    flat = pa.array(vectors.reshape(-1), type=pa.float16())
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns, schema=layout)
