"""From hashes to rows of files, in sixteen bytes a row: two sorted arrays, not a dict.

The key is Python's own 64-bit hash of the string, keyed anew in each process, so two different hashes of a million
rows meet with a probability of one in ten million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ROW_BITS = 32


class HashIndex:
    """Rows by the hash of each; of several with one hash, any.

    >>> index = HashIndex()
    >>> index.add(Path("a"), ["x", "y"])
    >>> index.add(Path("b"), ["z"])
    >>> [(path.name, sorted(rows.items())) for path, rows in index.find(["y", "z", "unknown"])]
    [('a', [('y', 1)]), ('b', [('z', 0)])]
    """

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, path: Path, hashes: Sequence[str]) -> None:
        """Take in the rows of a file, in their order."""
        places = (np.int64(len(self._paths)) << _ROW_BITS) + np.arange(len(hashes), dtype=np.int64)
        self._paths.append(path)
        self._parts.append(_sorted(_keys(hashes), places))
        # Parts grow like the digits of a binary counter: few of them to look in, and little to sort again.
        while len(self._parts) > 1 and len(self._parts[-1][0]) >= len(self._parts[-2][0]):
            (keys, rows), (more_keys, more_rows) = self._parts.pop(), self._parts.pop()
            self._parts.append(_sorted(np.concatenate([more_keys, keys]), np.concatenate([more_rows, rows])))

    def find(self, hashes: Iterable[str]) -> Iterator[tuple[Path, dict[str, int]]]:
        """The rows there are, file by file."""
        wanted = sorted(set(hashes))
        places = self._places(_keys(wanted))
        for number in np.unique(places[places >= 0] >> _ROW_BITS).tolist():
            inside = np.flatnonzero((places >= 0) & (places >> _ROW_BITS == number))
            rows = places[inside] & ((1 << _ROW_BITS) - 1)
            yield self._paths[number], {wanted[at]: row for at, row in zip(inside, rows.tolist(), strict=True)}

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.full(len(keys), -1, dtype=np.int64)
        for known, rows in self._parts:
            at = np.searchsorted(known, keys)
            hit = (at < len(known)) & (known[np.minimum(at, len(known) - 1)] == keys)
            found[hit] = rows[at[hit]]
        return found


def _keys(hashes: Iterable[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, hashes), dtype=np.int64)


def _sorted(keys: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    return keys[order], places[order]
