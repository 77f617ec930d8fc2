"""Where each hash was embedded before: in live rows, deleted ones, and shards of a run that did not finish.

Sixteen bytes a row: two sorted arrays, not a dict. The key is Python's own 64-bit hash of the string, keyed anew in
each process, so two different hashes of a million rows meet with a probability of one in ten million.
"""

from __future__ import annotations

from collections.abc import Collection as Items
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import layout
from c2vsearch.collection.collection import Collection
from c2vsearch.errors import C2VSearchError
from c2vsearch.records import Fingerprint
from c2vsearch.shards import SHARD_SUFFIX, Shard

_OPEN = 8
_ROW_BITS = 32


class ReusableRows:
    """An index from hash to vector over shards, filled on first use.

    Args:
        root: The index directory.
        base: The version whose rows may be reused; None to take only what no version names.
        fingerprint: What has to have made the vectors.
    """

    def __init__(self, root: Path, *, base: Collection | None, fingerprint: Fingerprint) -> None:
        self._root, self._base, self._fingerprint = root, base, fingerprint
        self._paths: list[Path] = []
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._open: dict[Path, Shard] = {}
        self._filled = False

    def find(self, hashes: Items[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors there are, by hash."""
        if not hashes:
            return {}
        if not self._filled:
            self._fill()
        wanted = sorted(set(hashes))
        places = self._places(_keys(wanted))
        found: dict[str, NDArray[np.float32]] = {}
        for number in np.unique(places[places >= 0] >> _ROW_BITS).tolist():
            inside = np.flatnonzero((places >= 0) & (places >> _ROW_BITS == number))
            rows = places[inside] & ((1 << _ROW_BITS) - 1)
            try:
                vectors = self._shard(self._paths[number]).vectors_at(rows.tolist())
            except C2VSearchError:  # a damaged leftover gives no vectors; what a version needs, its reader will miss
                continue
            found.update((wanted[place], row) for place, row in zip(inside, vectors.astype(np.float32), strict=True))
        return found

    def add(self, path: Path, hashes: Sequence[str]) -> None:
        """Take in a shard, so that what this run embedded is not embedded twice."""
        places = (np.int64(len(self._paths)) << _ROW_BITS) + np.arange(len(hashes), dtype=np.int64)
        self._paths.append(path)
        self._parts.append(_sorted(_keys(hashes), places))
        # Parts grow like the digits of a binary counter: few of them to look in, and little to sort again.
        while len(self._parts) > 1 and len(self._parts[-1][0]) >= len(self._parts[-2][0]):
            (keys, rows), (more_keys, more_rows) = self._parts.pop(), self._parts.pop()
            self._parts.append(_sorted(np.concatenate([more_keys, keys]), np.concatenate([more_rows, rows])))

    def _fill(self) -> None:
        self._filled = True
        named = {entry.name: number for number, entry in enumerate(self._base.manifest.shards)} if self._base else {}
        skip = {path.name for path in self._paths} | _named_elsewhere(self._root, self._base)
        for path in sorted((self._root / layout.SHARDS).glob(f"[0-9a-f]*{SHARD_SUFFIX}")):
            if path.name in skip:
                continue
            try:
                number = named.get(f"{layout.SHARDS}/{path.name}")
                if self._base is not None and number is not None:
                    shard = self._base.shard(number)
                else:
                    shard = Shard(path)  # no manifest vouches for it; its name does
                if shard.fingerprint == self._fingerprint:
                    self.add(path, shard.column("hash"))
            except (C2VSearchError, OSError):
                continue

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.full(len(keys), -1, dtype=np.int64)
        for known, rows in self._parts:
            at = np.searchsorted(known, keys)
            hit = (at < len(known)) & (known[np.minimum(at, len(known) - 1)] == keys)
            found[hit] = rows[at[hit]]
        return found

    def _shard(self, path: Path) -> Shard:
        if path not in self._open:
            while len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[path] = Shard(path)
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


def _keys(hashes: Iterable[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, hashes), dtype=np.int64)


def _sorted(keys: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    return keys[order], rows[order]
