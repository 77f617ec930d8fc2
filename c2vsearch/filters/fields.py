"""What can be asked for of a chunk: its own fields and its metadata, by name, with their types in each shard."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from c2vsearch.errors import InvalidQuery
from c2vsearch.filters.values import spelled
from c2vsearch.records import Value, path_of
from c2vsearch.shards.fields import PREFIX
from c2vsearch.shards.text import decode_source, storable
from c2vsearch.terminal import visible_line

FIELDS_TOLD = 30


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the columns it is made of, where a shard has them, its types, and how a row's cells become its value."""

    columns: tuple[str, ...]
    kinds: frozenset[str]
    value: Callable[..., Value | None]


class Fields:
    """The fields of one version of an index.

    A chunk has ``path`` as it is shown, ``suffix`` (of the path, in lower case), ``kind`` (what it was read as),
    ``title``, ``heading`` (those it stands under), ``page``, and ``date``: when its document says it was modified, else
    created, else when its file was. Metadata has the names it was given; ``meta_NAME`` is always metadata.

    Args:
        metadata: The types of each field of metadata, over all shards.
        file_time: When a file was modified, by its source; None where that is not known.
    """

    def __init__(
        self, metadata: Mapping[str, Iterable[str]], file_time: Callable[[str], datetime.datetime | None]
    ) -> None:
        def date(modified: Value | None, created: Value | None, source: str) -> Value | None:
            return _first_time(modified, created) or file_time(decode_source(source))

        self._own = {
            "path": _field(("source", "member"), "text", _path),
            "suffix": _field(("source", "member"), "text", _suffix),
            "kind": _field(("kind",), "text", _itself),
            "title": _field(("title",), "text", _itself),
            "heading": _field(("heading_path",), "list", _itself),
            "page": _field(("page",), "int", _itself),
            "date": _field((PREFIX + "modified", PREFIX + "created", "source"), "time", date),
        }
        self._metadata = {
            PREFIX + name: Field((PREFIX + name,), frozenset(kinds), _itself) for name, kinds in metadata.items()
        }

    def find(self, name: str) -> Field:
        """The field of a name.

        Raises:
            InvalidQuery: There is none; the message lists those there are.
        """
        stored = storable(name)
        field = self._own.get(stored) or self._metadata.get(stored) or self._metadata.get(PREFIX + stored)
        if field is None:
            metadata = name.startswith(PREFIX)
            known = sorted(given.removeprefix(PREFIX) for given in self._metadata) if metadata else self.names()
            told = ", ".join(map(visible_line, known[:FIELDS_TOLD])) + (" ..." if len(known) > FIELDS_TOLD else "")
            asked = f"{'metadata' if metadata else 'a field'} {name.removeprefix(PREFIX)!r}"
            raise InvalidQuery(f"no chunk of this index has {asked}; expected one of: {told or 'none'}")
        return field

    def names(self) -> list[str]:
        """What fields can be called, a chunk's own first."""
        given = (name.removeprefix(PREFIX) for name in sorted(self._metadata))
        return [*self._own, *(PREFIX + name if name in self._own else name for name in given)]


def _field(columns: tuple[str, ...], kind: str, value: Callable[..., Value | None]) -> Field:
    return Field(columns, frozenset({kind}), value)


def _itself(value: Any) -> Value | None:
    found: Value | None = value
    return found


def _path(source: str, member: str) -> str:
    return path_of(decode_source(source), member)


def _suffix(source: str, member: str) -> str:
    name = _path(source, member).rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def _first_time(*values: Value | None) -> datetime.datetime | None:
    """The first that is a time, or spells one."""
    for value in values:
        time = spelled(value) if isinstance(value, str) else value
        if isinstance(time, datetime.datetime):
            return time
        if isinstance(time, datetime.date):
            return datetime.datetime.combine(time, datetime.time.min, datetime.UTC)
    return None
