"""The forms in which a filter is given: an object, a text, or a dict of what fields are to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pyarrow.compute as pc

from c2vsearch.errors import InvalidQuery
from c2vsearch.filters.filter import And, Compare, Filter, Or
from c2vsearch.filters.parse import parse

Where: TypeAlias = "Filter | str | Mapping[str, Any] | pc.Expression"


def as_filter(where: Where) -> Filter:
    """A filter from any of our own forms.

    In a dict, a value is what the field has to be, a list those it may be one of, and a dict of operators what it is
    compared with; all of them have to hold.

    Raises:
        InvalidQuery: It is none.

    >>> as_filter({"team": "ops", "year": {">=": 2024}})
    And(parts=(Compare(field='team', operator='=', value='ops'), Compare(field='year', operator='>=', value=2024)))
    """
    if isinstance(where, Filter):
        return where
    if isinstance(where, str):
        return parse(where)
    if isinstance(where, Mapping):
        return And(tuple(part for name, value in where.items() for part in _conditions(str(name), value)))
    kind = type(where).__name__
    raise InvalidQuery(f"where is a {kind}; expected a filter, its text, a dict of fields, or an expression of pyarrow")


def _conditions(name: str, value: Any) -> list[Filter]:
    if isinstance(value, list | tuple | set | frozenset):
        return [Or(tuple(Compare(name, "=", each) for each in value))]
    if not isinstance(value, Mapping):
        return [Compare(name, "=", value)]
    return [Compare(name, sign, each) for sign, each in value.items()]
