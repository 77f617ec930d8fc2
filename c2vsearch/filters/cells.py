"""Rows of a shard as few distinct ones: what there is to compare is compared once, however many chunks have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Cells:
    """Some columns of a shard.

    Args:
        table: The columns there are; others are null in each row.
        rows: N.
    """

    def __init__(self, table: pa.Table, *, rows: int) -> None:
        self._table, self._rows = table, rows
        self._coded: dict[str, tuple[list[Any], NDArray[np.int64]]] = {}

    def each(self, value: bool) -> NDArray[np.bool_]:
        """The same for every row. Shape: (N,)."""
        return np.full(self._rows, value, dtype=np.bool_)

    def where(self, columns: Sequence[str], holds: Callable[..., bool]) -> NDArray[np.bool_]:
        """Whether each row holds, by its cells of some columns. Shape: (N,).

        >>> cells = Cells(pa.table({"page": [1, 2, 1, None], "tags": [["a", "b"], [], None, ["a"]]}), rows=4)
        >>> cells.where(["page"], lambda page: page == 1).tolist()
        [True, False, True, False]
        >>> cells.where(["page", "tags"], lambda page, tags: page != 1 and "a" in (tags or ())).tolist()
        [False, False, False, True]
        """
        parts = [self._column(name) for name in columns]
        codes = np.zeros(self._rows, dtype=np.int64)
        for distinct, column in parts:
            codes = codes * len(distinct) + column
        # One row of each kind stands for all of them.
        _, first, kinds = np.unique(codes, return_index=True, return_inverse=True)
        rows = ([distinct[column[row]] for distinct, column in parts] for row in first.tolist())
        return np.fromiter((holds(*cells) for cells in rows), dtype=np.bool_, count=len(first))[kinds.reshape(-1)]

    def _column(self, name: str) -> tuple[list[Any], NDArray[np.int64]]:
        """The distinct values of a column, and which of them each row has."""
        if name not in self._coded:
            there = name in self._table.column_names
            nothing = [None], np.zeros(self._rows, dtype=np.int64)
            self._coded[name] = _coded(self._table.column(name)) if there else nothing
        return self._coded[name]


def _coded(column: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    if pa.types.is_list(column.type):  # Arrow has no dictionary of lists
        values = [None if value is None else tuple(value) for value in column.to_pylist()]
        places: dict[Any, int] = {}
        codes = [places.setdefault(value, len(places)) for value in values]
        return list(places), np.array(codes, dtype=np.int64)
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
