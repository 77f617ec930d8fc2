"""A row of a version, and one with its score."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A row of a version: the number of its shard in the manifest, and its place in that shard."""

    shard: int
    row: int


class RowScore(NamedTuple):
    """A row and its score; higher is better."""

    row: Row
    score: float
