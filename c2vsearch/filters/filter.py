"""A filter: comparisons of fields with values, put together by and, or and not."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=", "contains")


Operand = str | int | float | bool | datetime.date | datetime.datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition a chunk meets or does not: there is no third way, a field that is not there has no value.

    >>> Compare("team", "=", "ops") & ~Compare("year", "<", 2024)
    And(parts=(Compare(field='team', operator='=', value='ops'),
               Not(part=Compare(field='year', operator='<', value=2024))))
    """

    def __and__(self, other: Filter) -> Filter:
        return And((self, other))

    def __or__(self, other: Filter) -> Filter:
        return Or((self, other))

    def __invert__(self) -> Filter:
        return Not(self)


@dataclass(frozen=True, slots=True)
class Compare(Filter):
    """A field compared with a value. A list is compared item by item; ``contains`` is ``=`` for lists and texts.

    A value that is a text is read as what the field is: ``"2024"`` is a number where the field has numbers.
    A date is a whole day in UTC: ``<= 2026-01-31`` takes in the times of that day.
    """

    field: str
    operator: Operator
    value: Operand


@dataclass(frozen=True, slots=True)
class PathGlob(Filter):
    """Patterns of paths as in `.gitignore`, of which the last that matches decides: ``!`` takes out again."""

    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of these."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """At least one of these."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """Not this."""

    part: Filter


def leaves(filter: Filter) -> Iterator[Compare | PathGlob]:
    """The single conditions of a filter.

    >>> [leaf.field for leaf in leaves(Compare("a", "=", 1) & ~Compare("b", "=", 2))]
    ['a', 'b']
    """
    pending = [filter]
    while pending:
        match pending.pop():
            case And(parts) | Or(parts):
                pending += reversed(parts)
            case Not(part):
                pending.append(part)
            case Compare() | PathGlob() as leaf:
                yield leaf
