"""Columns of a shard, and file names as valid UTF-8. Described for other tools in docs/storage-format.md."""

from __future__ import annotations

import re

import pyarrow as pa

FORMAT = "1"
FORMAT_KEY = b"c2vsearch.format"
FINGERPRINT_KEY = b"c2vsearch.fingerprint"
CHUNKING_KEY = b"c2vsearch.chunking"
SHARD_SUFFIX = ".parquet"

_UNDECODABLE = re.compile("[%\ud800-\udfff]")
_ESCAPED = re.compile("%([0-9A-F]{2})")


def schema(dim: int) -> pa.Schema:
    """The columns, for embeddings of ``dim`` numbers."""
    return pa.schema(
        [
            pa.field("chunk_id", pa.string(), nullable=False),
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
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
        ]
    )


def encode_source(source: str) -> str:
    """A file name as valid UTF-8, reversibly: ``%`` and bytes that are not UTF-8 are written ``%XX``.

    >>> encode_source("notes/caf\udce9 100%.md")
    'notes/caf%E9 100%25.md'
    """
    return _UNDECODABLE.sub(lambda match: f"%{ord(match.group()) & 0xFF:02X}", source)


def decode_source(stored: str) -> str:
    """The inverse of `encode_source`.

    >>> decode_source("notes/caf%E9 100%25.md") == "notes/caf\udce9 100%.md"
    True
    """

    def byte(match: re.Match[str]) -> str:
        value = int(match.group(1), 16)
        return "%" if value == 0x25 else chr(0xDC00 + value)

    return _ESCAPED.sub(byte, stored)
