"""Columns of a shard. Described for other tools in docs/storage-format.md."""

from __future__ import annotations

import pyarrow as pa

from c2vsearch.shards.fields import is_field

FORMAT = "2"
FORMAT_WITH_CODES = "3"
FORMATS = (FORMAT, FORMAT_WITH_CODES)
FORMAT_KEY = b"c2vsearch.format"
FINGERPRINT_KEY = b"c2vsearch.fingerprint"
CHUNKING_KEY = b"c2vsearch.chunking"
CODEC_KEY = b"c2vsearch.token_codec"
CODES = "token_codes"
SHARD_SUFFIX = ".parquet"


def schema(dim: int, *, codes: bool = False) -> pa.Schema:
    """The columns every shard has, for embeddings of ``dim`` numbers; those of metadata come after them.

    With ``codes`` there is one more, for the token states of each chunk.
    """
    return pa.schema(
        [
            pa.field("chunk_id", pa.string(), nullable=False),
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("member", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("start", pa.int64(), nullable=False),
            pa.field("end", pa.int64(), nullable=False),
            pa.field("start_line", pa.int32(), nullable=False),
            pa.field("end_line", pa.int32(), nullable=False),
            pa.field("page", pa.int32()),
            pa.field("heading_path", pa.list_(pa.string()), nullable=False),
            pa.field("title", pa.string(), nullable=False),
            pa.field("context", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("tokens", pa.int32(), nullable=False),
            pa.field("hash", pa.string(), nullable=False),
            pa.field("embedding", pa.list_(pa.float16(), dim), nullable=False),
            *([pa.field(CODES, pa.binary())] if codes else []),
        ]
    )


def is_shard(found: pa.Schema, dim: int, *, codes: bool = False) -> bool:
    """Whether these are the columns of a shard, with codes or without."""
    fixed = schema(dim, codes=codes)
    extra = [found.field(number) for number in range(min(len(fixed), len(found)), len(found))]
    same = pa.schema([found.field(number) for number in range(min(len(fixed), len(found)))]).equals(fixed)
    return same and all(is_field(field) for field in extra)
