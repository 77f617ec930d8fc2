"""Values against each other by what they are: numbers as numbers, times as times, texts as texts.

A field can be of several types in one index, and of a wider one in a shard that holds them all: there a number is
written as text. So a text that is written as a number is one, and answers do not depend on which chunks share a shard.
"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from c2vsearch.errors import InvalidQuery
from c2vsearch.filters.filter import OPERATORS, Compare
from c2vsearch.records import Value
from c2vsearch.shards.fields import as_type

# What a value is, by the type of its column (`c2vsearch.shards.fields.TYPES`).
_CLASSES = {"bool": "bool", "int": "number", "float": "number", "time": "time", "text": "text", "list": "list"}
_TOLD = {
    "bool": "true or false", "number": "a number", "time": "a time such as 2026-11-27 or 2026-11-27T14:30Z",
    "text": "text", "list": "a list of texts",
}  # fmt: skip
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,400})(\.\d{1,400})?(e[+-]?\d{1,4})?", re.ASCII)
_DAY = len("2026-11-27")

Reading = str | int | float | bool | datetime.date | datetime.datetime


def readings(condition: Compare, kinds: Iterable[str]) -> tuple[Reading, ...]:
    """What a condition's value can be, for a field of these types; one for comparisons of order.

    Raises:
        InvalidQuery: The field cannot have such a value, or such a comparison.

    >>> readings(Compare("year", "=", "7"), ["int"]), readings(Compare("year", "=", "7"), ["int", "text"])
    ((7,), (7, '7'))
    """
    if condition.operator not in OPERATORS:
        raise InvalidQuery(f"{condition.field} is compared by {condition.operator!r}; expected {' '.join(OPERATORS)}")
    classes = {_CLASSES[kind] for kind in kinds}
    told = " or ".join(_TOLD[name] for name in _TOLD if name in classes)
    ordered = condition.operator in ("<", "<=", ">", ">=")
    name = condition.field.removeprefix("meta_")
    if ordered and classes == {"bool"}:
        raise InvalidQuery(f"{name} is {told}; expected = or != after it, not {condition.operator}")
    if condition.operator == "contains" and not classes & {"text", "list"}:
        raise InvalidQuery(f"{name} is {told}; expected = or another comparison after it, not contains")
    found = _readings(condition.value, classes)
    if not found:
        raise InvalidQuery(f"{name} is compared with {str(condition.value)!r}; expected {told}")
    return tuple(found[:1] if ordered else found)


def holds(value: Value | None, sign: str, wanted: tuple[Reading, ...]) -> bool:
    """Whether a value of a chunk compares so with one of some readings; without a value, only ``!=`` does.

    >>> holds(("a", "b"), "=", ("b",)), holds(None, "!=", ("b",)), holds("10", ">", (9,)), holds("10", ">", ("9",))
    (True, True, True, False)
    """
    if sign == "!=":
        return not holds(value, "=", wanted)
    if value is None:
        return False
    compared = _COMPARED["=" if sign == "contains" else sign]
    items = value if isinstance(value, tuple) else (value,)
    return any(_compares(item, compared, reading) for item in items for reading in wanted)


def spelled(text: str) -> Reading:
    """The number, truth value, day or time a text spells; else the text. Times without a zone are in UTC.

    >>> spelled("7"), spelled("007"), spelled("true"), spelled("2026-11-27"), spelled("2026-11-27T14:30")
    (7, '007', True, datetime.date(2026, 11, 27), datetime.datetime(2026, 11, 27, 14, 30, tzinfo=datetime.timezone.utc))
    """
    number = _NUMBER.fullmatch(text)
    if number:
        return float(text) if number.group(1) or number.group(2) else int(text)
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return _time(text) or text


def _time(text: str) -> datetime.date | datetime.datetime | None:
    if text[4:5] != "-" or text[7:8] != "-":
        return None
    try:
        if len(text) == _DAY:
            return datetime.date.fromisoformat(text)
        return _aware(datetime.datetime.fromisoformat(text))
    except ValueError:
        return None


def _aware(time: datetime.datetime) -> datetime.datetime:
    return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time


def _readings(value: object, classes: set[str]) -> list[Reading]:
    """What a value can be, the most telling first. In a field of texts a text may have been a number."""
    anything = bool(classes & {"text", "list"})
    if isinstance(value, str):
        found, told = spelled(value), _written(value)
        readings = [found] if _class(found) in classes else [told] if anything else []
        return [*readings, value] if anything and value not in readings else readings
    if isinstance(value, bool | int | float | datetime.date):
        reading = _aware(value) if isinstance(value, datetime.datetime) else value
        return [reading] if anything or _class(reading) in classes else []
    kind = type(value).__name__
    raise InvalidQuery(f"the value {value!r} is a {kind}; expected text, a number, a truth value or a time")


def _written(text: str) -> Reading:
    """The number, truth value or time a text is how a shard of texts writes: "1.10" is none."""
    found = spelled(text)
    written = as_type(found, "text") if isinstance(found, bool | int | float | datetime.datetime) else str(found)
    return found if written == text else text


def _class(reading: Reading) -> str:
    if isinstance(reading, bool):
        return "bool"
    if isinstance(reading, int | float):
        return "number"
    return "time" if isinstance(reading, datetime.date) else "text"


def _compares(item: Reading, compared: Callable[[Any, Any], bool], wanted: Reading) -> bool:
    if isinstance(item, str) and not (item == wanted and compared is operator.eq):
        item = _written(item)
    if _class(item) != _class(wanted):
        return False
    if isinstance(wanted, datetime.date):
        return _compares_times(_span(item), compared, _span(wanted))
    return compared(item, wanted)


def _span(reading: Any) -> tuple[datetime.datetime, datetime.datetime]:
    """The first and the last moment of a day, or one moment twice."""
    if isinstance(reading, datetime.datetime):
        return reading, reading
    return (
        datetime.datetime.combine(reading, datetime.time.min, datetime.UTC),
        datetime.datetime.combine(reading, datetime.time.max, datetime.UTC),
    )


def _compares_times(
    item: tuple[datetime.datetime, datetime.datetime],
    compared: Callable[[Any, Any], bool],
    wanted: tuple[datetime.datetime, datetime.datetime],
) -> bool:
    """A moment is in a day, before it or after it."""
    moment, (first, last) = item[0], wanted
    if compared is operator.eq:
        return first <= moment <= last
    return compared(moment, last if compared in (operator.le, operator.gt) else first)
