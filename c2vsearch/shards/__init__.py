"""Embeddings in Parquet: immutable files of chunks with their vectors. Knows no torch and no FAISS."""

from c2vsearch.shards.reader import Shard
from c2vsearch.shards.recent import RecentTables
from c2vsearch.shards.schema import SHARD_SUFFIX
from c2vsearch.shards.writer import ShardFile, check_codes, check_vectors, write_shard, write_table

__all__ = [
    "SHARD_SUFFIX", "RecentTables", "Shard", "ShardFile", "check_codes", "check_vectors", "write_shard", "write_table",
]  # fmt: skip
