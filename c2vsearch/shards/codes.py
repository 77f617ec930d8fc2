"""The column of codes: what an encoder says of a chunk's tokens, as bytes nobody here looks into; null for none."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from c2vsearch.shards.schema import CODES


def with_codes(table: pa.Table, codes: Sequence[bytes | None]) -> pa.Table:
    """Rows with a column of codes behind their embeddings.

    >>> rows = pa.table({"embedding": [1, 2], "meta_year": [2024, 2025]})
    >>> with_codes(rows, [b"ab", None]).to_pydict()
    {'embedding': [1, 2], 'token_codes': [b'ab', None], 'meta_year': [2024, 2025]}
    """
    return _inserted(table, pa.array(codes, type=pa.binary()))


def joinable(table: pa.Table, *, codec: str, wanted: str) -> pa.Table:
    """Rows of one shard, as they can stand beside those of others: codes of another codec than ``wanted`` are null.

    Args:
        table: Rows.
        codec: What made their codes; "" where they have none.
        wanted: Whose codes are kept; "" for rows without the column.
    """
    if wanted and codec == wanted:
        return table
    bare = table.drop_columns([CODES]) if codec else table
    return _inserted(bare, pa.nulls(table.num_rows, pa.binary())) if wanted else bare


def without_empty(table: pa.Table) -> pa.Table:
    """Rows without the column where none of them has codes."""
    if CODES not in table.column_names or table.column(CODES).null_count < table.num_rows:
        return table
    return table.drop_columns([CODES])


def _inserted(table: pa.Table, column: pa.Array) -> pa.Table:
    behind = table.column_names.index("embedding") + 1
    return table.add_column(behind, pa.field(CODES, pa.binary()), column)
