"""The questions of the next version: those there are while they fit, else new ones, where a model can encode them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from c2vsearch.collection import layout
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.compaction import Live, open_entry
from c2vsearch.collection.manifest import FileEntry, ShardEntry, describe
from c2vsearch.collection.questions import (
    DRAWN,
    Encode,
    Questions,
    ask,
    no_questions,
    read_questions,
    write_questions,
)
from c2vsearch.records import Chunk

# Questions are made anew when the index has so many times the rows it had.
GROWN = 4
SEED = 31


class Asking:
    """Gives questions when they are needed, and then says what the manifest names.

    Args:
        root: The index directory.
        base: The version before.
        shards: Shards of the next version.
        live: Whether each row of each shard counts.
        dim: D.
        encode: Queries to unit vectors; None without a model.
    """

    def __init__(
        self, root: Path, base: Collection | None, shards: Sequence[ShardEntry], live: Live, *, dim: int,
        encode: Encode | None,
    ) -> None:  # fmt: skip
        self._root, self._base, self._shards, self._live = root, base, shards, live
        self._dim, self._encode = dim, encode
        self._entry = base.manifest.questions if base else None

    def questions(self) -> Questions:
        """What to calibrate with; none without a model and a version that has some.

        Raises:
            CorruptFile: Those of the version before are damaged, and there is no model.
        """
        rows = sum(int(np.count_nonzero(mask)) for mask in self._live.values())
        known = self._known()
        if self._encode is None or (len(known) and rows < GROWN * known.rows):
            return known
        made = ask(drawn_chunks(self._root, self._shards, self._live), self._encode, rows=rows)
        path = write_questions(self._root / layout.QUESTIONS, made)
        self._entry = describe(self._root, path, rows=len(made))
        return made

    def entry(self) -> FileEntry | None:
        """The file of the questions of the next version."""
        return self._entry

    def _known(self) -> Questions:
        if self._base is None or self._entry is None:
            return no_questions(self._dim)
        return read_questions(self._base.verified(self._entry))


def drawn_chunks(root: Path, shards: Sequence[ShardEntry], live: Live) -> list[Chunk]:
    """Chunks from all over an index, in an order that depends on their number alone."""
    rows = sum(int(np.count_nonzero(mask)) for mask in live.values())
    drawn = np.sort(np.random.default_rng(SEED).choice(rows, size=min(DRAWN, rows), replace=False))
    found: list[Chunk] = []
    start = 0
    for entry in shards:
        counting = np.flatnonzero(live[entry.name])
        inside = drawn[(drawn >= start) & (drawn < start + len(counting))] - start
        start += len(counting)
        if len(inside):
            with open_entry(root, entry) as shard:
                found += shard.chunks(counting[inside].tolist())
    order = np.random.default_rng(SEED).permutation(len(found))
    return [found[place] for place in order]
