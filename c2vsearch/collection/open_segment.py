"""A vector segment as a version sees it: its rows by shard, and which of them count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection.manifest import CandidatesEntry, SegmentEntry
from c2vsearch.collection.row import Row, RowScore
from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.cosines import cosines
from c2vsearch.index.gpu_segment import GpuSegment
from c2vsearch.index.on_gpus import Segment, on_gpus
from c2vsearch.index.rows import RowFile
from c2vsearch.index.vectors import VectorSegment

if TYPE_CHECKING:
    from c2vsearch.collection.collection import Collection


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A loaded segment, where its shards start in it, their numbers in the version, and which rows count."""

    index: Segment
    starts: NDArray[np.int64]
    numbers: list[int]
    live: NDArray[np.bool_] | None

    def search_batch(
        self, queries: NDArray[np.float32], k: int, among: dict[int, NDArray[np.bool_]] | None = None
    ) -> list[list[RowScore]]:
        """For each query the k nearest rows that count, of some shards or of all. Shape: queries (Q, D)."""
        found = self.index.search_batch(queries, k=k, live=self._counting(among))
        return [self._rows_of(hits) for hits in found]

    def _rows_of(self, hits: list[tuple[int, float]]) -> list[RowScore]:
        positions = np.array([position for position, _ in hits], dtype=np.int64)
        inside = np.searchsorted(self.starts, positions, side="right") - 1
        rows = (positions - self.starts[inside]).tolist()
        return [
            RowScore(Row(self.numbers[part], row), score)
            for part, row, (_, score) in zip(inside.tolist(), rows, hits, strict=True)
        ]

    def on_gpus(self, gpus: Sequence[int], *, dim: int, strict: bool) -> OpenSegment:
        """The same segment, searched on GPUs as `c2vsearch.index.on_gpus.on_gpus` does it."""
        if isinstance(self.index, GpuSegment) or not len(self.index):
            return self
        return replace(self, index=on_gpus(self.index, gpus, dim=dim, strict=strict))

    def _counting(self, among: dict[int, NDArray[np.bool_]] | None) -> NDArray[np.bool_] | None:
        """Which rows may be given, in the order of the segment."""
        if among is None:
            return self.live
        mask = np.ones(int(self.starts[-1]), dtype=np.bool_) if self.live is None else self.live.copy()
        for number, start, end in zip(self.numbers, self.starts[:-1], self.starts[1:], strict=True):
            mask[start:end] &= among.get(number, False)
        return mask

    def cosines(self, rows: Sequence[Row], query: NDArray[np.float32]) -> dict[Row, float]:
        """The cosine of those of some rows that it has. Shape: query (D,)."""
        starts = {shard: int(start) for shard, start in zip(self.numbers, self.starts[:-1], strict=True) if shard >= 0}
        inside = [row for row in rows if row.shard in starts]
        if not inside:
            return {}
        positions = np.array([starts[row.shard] + row.row for row in inside], dtype=np.int64)
        scores = cosines(self.index.rows(positions), query)
        return dict(zip(inside, scores.tolist(), strict=True))


def open_segment(collection: Collection, entry: SegmentEntry, numbers: Mapping[str, int]) -> OpenSegment:
    """Open a segment whose files are compared with what was recorded; rows of large ones as they are needed.

    Args:
        collection: The version.
        entry: The segment.
        numbers: The number of each shard of the version.

    Raises:
        CorruptFile: A file is missing or damaged.
    """
    index = _approximate(collection, entry, entry.candidates) if entry.candidates else _flat(collection, entry)
    starts = np.cumsum([0, *entry.rows])
    live = np.ones(entry.file.rows, dtype=np.bool_)
    for name, start, end in zip(entry.shards, starts[:-1], starts[1:], strict=True):
        if name not in numbers:
            live[start:end] = False
        elif name in collection.deletes:
            live[start + np.fromiter(collection.deletes[name], dtype=np.int64)] = False
    return OpenSegment(index, starts, [numbers.get(name, -1) for name in entry.shards], None if live.all() else live)


def _flat(collection: Collection, entry: SegmentEntry) -> VectorSegment:
    path, dim = collection.verified(entry.file), collection.manifest.fingerprint.dim
    return VectorSegment(path, dim=dim, rows=entry.file.rows)


def _approximate(collection: Collection, entry: SegmentEntry, made: CandidatesEntry) -> ApproximateSegment:
    dim, rows, path = collection.manifest.fingerprint.dim, entry.file.rows, collection.root / entry.file.name
    candidates = CandidateIndex.load(collection.verified(made.file), kind=made.kind, dim=dim, rows=rows)
    file = RowFile(path, size_bytes=entry.file.size_bytes, blocks=made.row_blocks, dim=dim, rows=rows)
    return ApproximateSegment(candidates, file, few=made.few.setting, many=made.many.setting)
