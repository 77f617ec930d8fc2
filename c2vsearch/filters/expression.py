"""Expressions of pyarrow over the columns of the shards, for what our own filters cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from c2vsearch.errors import InvalidQuery
from c2vsearch.shards import Shard
from c2vsearch.shards.fields import fitted
from c2vsearch.shards.reader import TEXT_COLUMNS

_ROW = "c2vsearch row"  # no column is called so


def spoken_of(expression: pc.Expression, names: Sequence[str]) -> list[str]:
    """The columns an expression may speak of: those whose names stand in its text, which may be a few too many.

    >>> spoken_of(pc.field("page") > 3, ["page", "title"])
    ['page']
    """
    text = str(expression)
    return [name for name in names if name in text or not name.isidentifier()]


def matching(shard: Shard, expression: pc.Expression, kinds: Mapping[str, str]) -> NDArray[np.bool_]:
    """Whether each row of a shard meets an expression; where it is null, a row does not. Shape: (N,).

    Args:
        shard: N rows.
        expression: Over columns as they are stored, embeddings aside.
        kinds: The columns of metadata of all shards, each with the type that holds all values of it.

    Raises:
        InvalidQuery: It speaks of a column that is not there, or compares what cannot be compared.
    """
    metadata = spoken_of(expression, list(kinds))
    table = shard.table(["start", *spoken_of(expression, TEXT_COLUMNS), *metadata])
    table = fitted(table, {name: kinds[name] for name in metadata})
    try:
        rows = table.append_column(_ROW, pa.array(np.arange(len(shard)))).filter(expression).column(_ROW)
    except (pa.ArrowException, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidQuery(f"pyarrow cannot evaluate {expression} over the columns of the index: {reason}") from error
    mask = np.zeros(len(shard), dtype=np.bool_)
    mask[rows.to_numpy()] = True
    return mask
