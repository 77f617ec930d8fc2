"""What documents say of themselves, under the names this project uses for it, whatever they call it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime

from c2vsearch.ingest.annotations import as_value
from c2vsearch.ingest.text import fit
from c2vsearch.records import Value

_OURS = {
    "title": "title",
    "author": "author authors by byline creator creators initial_creator dc_creator article_author",
    "created": "created date created_at creation_date creationdate published publish_date pubdate published_at "
    "dc_date article_published_time date_published docdate",
    "modified": "modified updated lastmod last_modified modified_at updated_at moddate revdate article_modified_time "
    "last_update date_modified",
    "language": "language lang locale",
    "tags": "tags keywords keyword categories topics filetags",
}
_NAMES = {theirs: ours for ours, names in _OURS.items() for theirs in names.split()}
_APART = re.compile(r"[\s.:-]+")
_TAGS = re.compile(r"\s*[,;]\s*")
_FORMATS = ("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%Y-%m", "%d.%m.%Y")
_LONGEST = 1000


def properties(said: Iterable[tuple[str, object]]) -> dict[str, Value]:
    """Names and values as metadata. Times are in UTC, tags a tuple, several authors one text with commas between.

    What comes first holds, but tags add up. A time that cannot be read stays a text under its own name.

    >>> properties([("Date", "1 May 2024"), ("Tags", "ferry, ice"), ("Authors", ["Ann", "Bo"]), ("draft", True)])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'created': datetime.datetime(2024, 5, 1, 0, 0, tzinfo=datetime.timezone.utc), 'tags': ('ferry', 'ice'),
     'author': 'Ann, Bo', 'draft': True}
    """
    found: dict[str, Value] = {}
    for theirs, value in said:
        plain = _APART.sub("_", theirs.strip().lower())
        ours = _NAMES.get(plain, plain)
        known = _value(ours, value)
        if ours in ("created", "modified") and known is None:
            ours, known = plain, _text(value)
        if ours == "tags" and isinstance(known, tuple):
            known = tuple(dict.fromkeys((*_tuple(found.get("tags")), *known)))
            found.pop("tags", None)
        if known not in (None, "", ()) and ours:
            found.setdefault(ours, known)
    return found


def parse_time(text: str) -> datetime.datetime | None:
    """A date or time as people and programs write it, in UTC; None when it is none of those.

    >>> parse_time("2024-05-01T10:00:00+02:00").hour, parse_time("Wed, 1 May 2024 10:00:00 GMT").hour, parse_time("May")
    (8, 10, None)
    """
    text = text.strip()[:_LONGEST]
    for parse in (datetime.datetime.fromisoformat, parsedate_to_datetime, *map(_by_format, _FORMATS)):
        try:
            return _utc(parse(text))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _by_format(form: str) -> Callable[[str], datetime.datetime]:
    return lambda text: datetime.datetime.strptime(text, form)


def _utc(time: datetime.datetime) -> datetime.datetime:
    return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _value(ours: str, value: object) -> Value | None:
    if isinstance(value, datetime.datetime):
        return _utc(value)
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    if ours in ("created", "modified"):
        return parse_time(value) if isinstance(value, str) else None
    if ours == "tags":
        return tuple(tag for text in _texts(value) for tag in _TAGS.split(text) if tag)
    if ours in ("author", "title", "language"):
        return ", ".join(dict.fromkeys(_texts(value)))
    return fit(known) if isinstance(known := _plain(value), str) else known


def _plain(value: object) -> Value | None:
    """A scalar or a list of scalars; what is nested says nothing that could be searched for."""
    if isinstance(value, list | tuple):
        return tuple(_texts(list(value)))
    return as_value(value) if value is None or isinstance(value, str | int | float) else None


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        value = value.get("name", "")
    items = value if isinstance(value, list | tuple) else [value]
    named = (item.get("name", "") if isinstance(item, dict) else item for item in items)
    return [text for item in named if isinstance(item, str | int | float) and (text := _text(item))]


def _text(value: object) -> str:
    return fit(" ".join(str(value).split()))[:_LONGEST]


def _tuple(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
