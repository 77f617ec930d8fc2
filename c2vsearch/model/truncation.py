"""Shorter embeddings: the first columns of each half of the concatenation, brought back to unit length.

C and EOS fill one half of an embedding each. Cutting the row off would lose EOS before it shortened C, so both
halves are cut. A model has to be trained for it (Kusupati et al., arXiv 2205.13147); one that is not loses quality.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import InvalidConfig


def kept_columns(full: int, dim: int, *, parts: int) -> list[int]:
    """The columns that make an embedding of ``dim`` out of one of ``full`` numbers with ``parts`` equal parts.

    Raises:
        InvalidConfig: ``dim`` is larger than ``full``, or is no multiple of the parts.

    >>> kept_columns(8, 4, parts=2)
    [0, 1, 4, 5]
    """
    if not parts <= dim <= full or dim % parts:
        even = "an even number " if parts == 2 else ""
        raise InvalidConfig(f"dim is {dim}; expected {even}from {parts} to {full}, the width of the model's embeddings")
    width, kept = full // parts, dim // parts
    return [part * width + column for part in range(parts) for column in range(kept)]


def truncate(rows: NDArray[Any], dim: int, *, parts: int) -> NDArray[np.float32]:
    """Unit rows of ``dim`` numbers. Shape: (N, D) -> (N, dim); rows of the full width are returned as they are.

    >>> truncate(np.array([[3.0, 5.0, 4.0, 5.0]], dtype=np.float32), 2, parts=2).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    if dim == rows.shape[1]:
        return rows
    return unit_rows(rows[:, kept_columns(rows.shape[1], dim, parts=parts)])


def unit_rows(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows brought to length one; a row of zeros stays. Shape: (N, D)."""
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
