"""Shards that are mostly deleted, and many small ones, written anew. Rows are copied as they are.

But for codes of token states: a shard has those of one codec, so what an older one made goes with the old shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from c2vsearch.collection.manifest import ShardEntry
from c2vsearch.shards import Shard, ShardFile
from c2vsearch.shards.codes import joinable
from c2vsearch.shards.fields import together

# A shard is written anew when more than this share of its rows is deleted ...
DELETED_SHARE = 0.5
# ... and shards of less than half the usual size are joined when there are more of them than this.
SMALL_SHARDS = 8

# Whether each row of a shard counts, by the name of the shard.
Live = dict[str, NDArray[np.bool_]]


def compacted(
    root: Path,
    entries: Sequence[ShardEntry],
    live: Live,
    *,
    rows_per_shard: int,
    write: Callable[[pa.Table, str], ShardEntry],
    all_of: bool = False,
) -> tuple[list[ShardEntry], Live]:
    """The shards of the next version and which of their rows count.

    Args:
        root: The index directory.
        entries: Shards, old and new.
        live: Whether each row of each shard counts.
        rows_per_shard: Rows of a full shard.
        write: Writes rows as a shard, with the codec that made their codes ("" for none).
        all_of: Write all anew that have a deleted row or are small, however few they are.
    """
    counts = {entry.name: int(np.count_nonzero(live[entry.name])) for entry in entries}
    empty = {name for name, count in counts.items() if count == 0}
    share, few = (0.0, 1) if all_of else (DELETED_SHARE, SMALL_SHARDS)
    worn = {entry.name for entry in entries if counts[entry.name] < entry.rows * (1 - share)}
    small = {entry.name for entry in entries if counts[entry.name] < rows_per_shard // 2}
    chosen = worn | (small if len(small - empty) > few else set())
    kept = [entry for entry in entries if entry.name not in chosen]
    codec = _codec(root, entries, chosen - empty)
    tables = _tables(root, entries, live, chosen - empty, rows_per_shard, codec=codec)
    rewritten = [write(table, codec) for table in tables]
    result = {entry.name: live[entry.name] for entry in kept}
    result.update({entry.name: np.ones(entry.rows, dtype=np.bool_) for entry in rewritten})
    return kept + rewritten, result


def entry_of(root: Path, file: ShardFile) -> ShardEntry:
    """How a manifest names a shard."""
    name = file.path.relative_to(root).as_posix()
    return ShardEntry(name, file.size_bytes, file.sha256, file.rows, blocks=file.blocks)


def open_entry(root: Path, entry: ShardEntry) -> Shard:
    """A shard, checked against its entry as it is read."""
    return Shard(root / entry.name, size_bytes=entry.size_bytes, blocks=entry.blocks)


def _codec(root: Path, entries: Sequence[ShardEntry], chosen: set[str]) -> str:
    """Whose codes are kept: of the last shard that has some, chosen or not; "" if no chosen one has any.

    What is written anew becomes the last one. Were older codes kept in it, they would pass for the newest.
    """

    def codec_of(entry: ShardEntry) -> str:
        with open_entry(root, entry) as shard:
            return shard.token_codec

    if not any(codec_of(entry) for entry in entries if entry.name in chosen):
        return ""
    return next(filter(None, map(codec_of, reversed(entries))))


def _tables(
    root: Path, entries: Sequence[ShardEntry], live: Live, chosen: set[str], rows_per_shard: int, *, codec: str
) -> Iterator[pa.Table]:
    """The live rows of some shards, in order, in pieces of a full shard."""
    waiting: list[pa.Table] = []
    for entry in entries:
        if entry.name not in chosen:
            continue
        with open_entry(root, entry) as shard:
            rows = shard.take(np.flatnonzero(live[entry.name]).tolist())
            waiting.append(joinable(rows, codec=shard.token_codec, wanted=codec))
        while sum(table.num_rows for table in waiting) >= rows_per_shard:
            table = together(waiting)
            yield table.slice(0, rows_per_shard).combine_chunks()
            waiting = [table.slice(rows_per_shard)]
    if sum(table.num_rows for table in waiting):
        yield together(waiting).combine_chunks()
