"""Metadata as typed columns: one column a field, whose type holds every value of it.

A field with values of several types is widened, and nothing is lost: whole numbers become fractions where those hold
them, texts otherwise; a single text beside lists becomes a list of one.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from c2vsearch.records import Metadata, Value
from c2vsearch.shards.text import storable

PREFIX = "meta_"
TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us", tz="UTC"),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
}
_EXACT = 2**53  # whole numbers up to this are the same as fractions
_LARGEST = 2**63


def type_of(value: Value) -> str:
    """The narrowest type of a value.

    >>> [type_of(value) for value in (True, 1, 0.5, "a", ("a", "b"), 2**70)]
    ['bool', 'int', 'float', 'text', 'list', 'text']
    """
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_LARGEST <= value < _LARGEST else "text"
    if isinstance(value, float):
        return "float"
    if isinstance(value, datetime.datetime):
        return "time"
    return "text" if isinstance(value, str) else "list"


def widened(kinds: Iterable[str]) -> str:
    """The type that holds values of all of these.

    >>> widened(["int", "float"]), widened(["int", "time"]), widened(["text", "list"])
    ('float', 'text', 'list')
    """
    found = set(kinds)
    if len(found) == 1:
        return found.pop()
    if "list" in found:
        return "list"
    return "float" if found == {"int", "float"} else "text"


def as_type(value: Value, kind: str) -> Value:
    """A value as a wider type holds it.

    >>> as_type(1, "text"), as_type(True, "list"), as_type(1, "float")
    ('1', ('true',), 1.0)
    """
    if kind == "list":
        return value if isinstance(value, tuple) else (str(as_type(value, "text")),)
    if kind == "float":
        return float(value)  # type: ignore[arg-type]  # only numbers are widened to this
    if kind != "text" or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)


def columns(rows: Sequence[Metadata]) -> dict[str, pa.Array]:
    """The columns of some rows, by name; null where a row has no such field."""
    names = sorted({name for row in rows for name in row})
    return {PREFIX + storable(name): _column([row.get(name) for row in rows]) for name in names}


def _column(values: Sequence[Value | None]) -> pa.Array:
    kind = widened(type_of(value) for value in values if value is not None)
    if kind == "float" and any(isinstance(value, int) and abs(value) > _EXACT for value in values):
        kind = "text"
    return _array(values, kind)


def _array(values: Sequence[Value | None], kind: str) -> pa.Array:
    told = [None if value is None else _clean(as_type(value, kind)) for value in values]
    return pa.array(told, type=TYPES[kind])


def _clean(value: Value) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, tuple):
        return [storable(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)
    return value


def metadata(record: dict[str, object]) -> dict[str, Value]:
    """The fields of a row that was read; takes them out of the record."""
    found: dict[str, Value] = {}
    for column in [name for name in record if name.startswith(PREFIX)]:
        value = record.pop(column)
        if isinstance(value, list):
            found[column.removeprefix(PREFIX)] = tuple(value)
        elif isinstance(value, datetime.datetime):
            found[column.removeprefix(PREFIX)] = value.astimezone(datetime.UTC)
        elif isinstance(value, str | int | float):
            found[column.removeprefix(PREFIX)] = value
    return found


def is_field(field: pa.Field) -> bool:
    """Whether a column is one of metadata."""
    return field.name.startswith(PREFIX) and any(kind.equals(field.type) for kind in TYPES.values())


def types_of(schema: pa.Schema) -> dict[str, str]:
    """The types of the fields of metadata among some columns, by name.

    >>> types_of(pa.schema([("source", pa.string()), ("meta_year", pa.float64())]))
    {'year': 'float'}
    """
    found = [name for name in schema.names if name.startswith(PREFIX)]
    return {name.removeprefix(PREFIX): _kind(schema, name) for name in found}


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows of several shards as one table: every field in all of them, in the type that holds its values."""
    names = sorted({name for table in tables for name in table.column_names if name.startswith(PREFIX)})
    kinds = {
        name: widened(_kind(table.schema, name) for table in tables if name in table.column_names) for name in names
    }
    return pa.concat_tables([fitted(table, kinds) for table in tables])


def fitted(table: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    """Rows with columns of metadata of some types: null where there are none, widened where they are narrower.

    >>> rows = pa.table({"page": [1, 2], "meta_year": [2024, None]})
    >>> fitted(rows, {"meta_year": "text", "meta_team": "text"}).to_pydict()
    {'page': [1, 2], 'meta_year': ['2024', None], 'meta_team': [None, None]}
    """
    result = table.select([name for name in table.column_names if not name.startswith(PREFIX)])
    for name, kind in kinds.items():
        if name not in table.column_names:
            column = pa.nulls(table.num_rows, TYPES[kind])
        elif _kind(table.schema, name) == kind:
            column = table.column(name)
        else:
            column = _array([_read_value(value) for value in table.column(name).to_pylist()], kind)
        result = result.append_column(pa.field(name, TYPES[kind]), column)
    return result


def _kind(schema: pa.Schema, name: str) -> str:
    found = schema.field(name).type
    return next(kind for kind, known in TYPES.items() if known.equals(found))


def _read_value(value: object) -> Value | None:
    return metadata({PREFIX: value}).get("")
