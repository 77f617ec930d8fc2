"""Where each hash was embedded before: in live rows, deleted ones, and shards of a run that did not finish."""

from __future__ import annotations

from collections.abc import Collection as Items
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import layout
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.hash_index import HashIndex
from c2vsearch.errors import C2VSearchError
from c2vsearch.records import Fingerprint
from c2vsearch.shards import SHARD_SUFFIX, Shard

_OPEN = 8


class ReusableRows:
    """Vectors and codes of token states by hash, over shards; these are looked through on first use.

    Args:
        root: The index directory.
        base: The version whose rows may be reused; None to take only what no version names.
        fingerprint: What has to have made the vectors.
        codec: What has to have made the codes; "" to give none.
    """

    def __init__(self, root: Path, *, base: Collection | None, fingerprint: Fingerprint, codec: str = "") -> None:
        self._root, self._base, self._fingerprint, self._codec = root, base, fingerprint, codec
        # Not one index: the shard that gives the vector of a hash may be older than codes, and another have them.
        self._vectors, self._codes = HashIndex(), HashIndex()
        shards = base.manifest.shards if base else ()
        self._named = {Path(entry.name).name: number for number, entry in enumerate(shards)}
        self._known: set[str] = set()
        self._open: dict[Path, Shard] = {}
        self._filled = False

    def find(self, hashes: Items[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors there are, by hash."""
        found: dict[str, NDArray[np.float32]] = {}
        for shard, rows in self._shards(self._vectors, hashes):
            try:
                vectors = shard.vectors_at(list(rows.values()))
            except C2VSearchError:  # a damaged leftover gives no vectors; what a version needs, its reader will miss
                continue
            found.update(zip(rows, vectors.astype(np.float32), strict=True))
        return found

    def codes(self, hashes: Items[str]) -> dict[str, bytes]:
        """The codes there are, by hash."""
        found: dict[str, bytes] = {}
        for shard, rows in self._shards(self._codes, hashes):
            try:
                codes = shard.token_codes(list(rows.values()))
            except C2VSearchError:
                continue
            found.update((key, code) for key, code in zip(rows, codes, strict=True) if code is not None)
        return found

    def add(self, path: Path, hashes: Sequence[str], *, codec: str = "") -> None:
        """Take in a shard, so that what this run embedded is not embedded twice."""
        self._known.add(path.name)
        self._vectors.add(path, hashes)
        if codec and codec == self._codec:
            self._codes.add(path, hashes)

    def _shards(self, index: HashIndex, hashes: Items[str]) -> Iterator[tuple[Shard, dict[str, int]]]:
        """The shards that have some hashes, with the rows of those, as far as they can be opened."""
        if not hashes:
            return
        if not self._filled:
            self._fill()
        for path, rows in index.find(hashes):
            try:
                shard = self._shard(path)
            except C2VSearchError:
                continue
            yield shard, rows

    def _fill(self) -> None:
        self._filled = True
        skip = self._known | _named_elsewhere(self._root, self._base)
        for path in sorted((self._root / layout.SHARDS).glob(f"[0-9a-f]*{SHARD_SUFFIX}")):
            if path.name in skip:
                continue
            try:
                shard = self._opened(path)
                if shard.fingerprint == self._fingerprint:
                    self.add(path, shard.column("hash"), codec=shard.token_codec)
            except (C2VSearchError, OSError):
                continue

    def _opened(self, path: Path) -> Shard:
        if self._base is not None and path.name in self._named:
            return self._base.shard(self._named[path.name])  # a few blocks of it are read, not all
        return Shard(path)  # no manifest vouches for it; its name does

    def _shard(self, path: Path) -> Shard:
        if path not in self._open:
            while len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[path] = self._opened(path)
        return self._open[path]


def _named_elsewhere(root: Path, base: Collection | None) -> set[str]:
    """Shards of versions, when none of them may be reused: someone asked to embed everything again."""
    if base is not None:
        return set()
    named: set[str] = set()
    for number in layout.versions(root):
        try:
            named.update(Path(entry.name).name for entry in layout.open_manifest(root, number).shards)
        except C2VSearchError:
            return {path.name for path in (root / layout.SHARDS).iterdir()}
    return named
