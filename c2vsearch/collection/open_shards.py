"""The shards of a version, opened as they are needed, a limited number at a time. Threads may share them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection.row import Row
from c2vsearch.records import Chunk
from c2vsearch.shards import Shard

OPEN_SHARDS = 64  # files kept open at a time, however many shards there are
READERS = min(4, os.cpu_count() or 1)
Found = TypeVar("Found")


class OpenShards:
    """Rows of some shards, by the number of the shard and the row in it.

    Args:
        opened: Opens the shard of a number.
    """

    def __init__(self, opened: Callable[[int], Shard]) -> None:
        self._opened = opened
        self._lock = threading.RLock()
        self._shards: OrderedDict[int, Shard] = OrderedDict()

    def shard(self, number: int) -> Shard:
        """A shard, open."""
        with self._lock:
            if number not in self._shards:
                self._shards[number] = self._opened(number)
                if len(self._shards) > OPEN_SHARDS:
                    self._shards.popitem(last=False)  # closed when its last reader lets go of it
            self._shards.move_to_end(number)
            return self._shards[number]

    def chunks(self, rows: Sequence[Row]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for."""
        return self._read(rows, lambda shard, places: shard.chunks(places))

    def vectors(self, rows: Sequence[Row], *, dim: int) -> NDArray[np.float32]:
        """The vectors of some rows, in the order asked for. Shape: (len(rows), dim)."""
        found = self._read(rows, lambda shard, places: list(shard.vectors_at(places)))
        return np.array(found, dtype=np.float32).reshape(len(rows), dim)

    def token_codes(self, rows: Sequence[Row], *, codec: str) -> list[bytes | None]:
        """The codes that a codec made of some rows, in the order asked for; None where there are none of it."""

        def read(shard: Shard, places: list[int]) -> list[bytes | None]:
            return shard.token_codes(places) if shard.token_codec == codec else [None] * len(places)

        return self._read(rows, read)

    def _read(self, rows: Sequence[Row], read: Callable[[Shard, list[int]], Sequence[Found]]) -> list[Found]:
        """What is read of each row, with the shards shared out over threads: most of the time goes into unpacking."""
        places: dict[int, list[int]] = {}
        for row in rows:
            places.setdefault(row.shard, []).append(row.row)

        def part(number: int) -> dict[Row, Found]:
            found = read(self.shard(number), places[number])
            return {Row(number, row): value for row, value in zip(places[number], found, strict=True)}

        found: dict[Row, Found] = {}
        for each in _side_by_side(part, sorted(places)):
            found.update(each)
        return [found[row] for row in rows]


def _side_by_side(work: Callable[[int], Any], numbers: Sequence[int]) -> list[Any]:
    if len(numbers) < 2 or READERS < 2:
        return [work(number) for number in numbers]
    with ThreadPoolExecutor(min(READERS, len(numbers))) as pool:
        return list(pool.map(work, numbers))
