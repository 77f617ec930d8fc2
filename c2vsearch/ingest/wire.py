"""Records between processes: JSON in frames with their length in front.

The other side parses hostile files, so what it says is data: nothing but the records named here is ever made of it,
and a value of another type is an error.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import IO, Any, Literal, TypeVar, cast

T = TypeVar("T")
Decoder = Callable[[Any], Any]
_LENGTH_BYTES = 8


class Garbled(ValueError):
    """What came is not what was expected."""


def send(stream: IO[bytes], *parts: object) -> None:
    """Write one message: records, tuples, mappings, times, and what JSON has."""
    frame = json.dumps(parts, default=_plain, ensure_ascii=False, check_circular=False).encode("utf-8", "surrogatepass")
    stream.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
    stream.flush()


def receive(stream: IO[bytes], *, limit: int) -> list[Any] | None:
    """Read one message, or None when the stream has ended, also in the middle of one.

    Raises:
        Garbled: It is larger than ``limit``, or not a message.
    """
    head = stream.read(_LENGTH_BYTES)
    size = int.from_bytes(head, "big")
    if len(head) < _LENGTH_BYTES:
        return None
    if size > limit:
        raise Garbled(f"a message of {size} bytes; the limit is {limit}")
    frame = stream.read(size)
    if len(frame) < size:
        return None
    try:
        message = json.loads(frame.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not a message: {error}") from error
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise Garbled("a message without a name")
    return message


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, name) for name in _names(type(value))]
    if isinstance(value, datetime.datetime):
        return {"time": value.isoformat()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} does not travel")


@functools.cache
def _names(record: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record))


def made(record: type[T], value: object) -> T:
    """A record from what `send` made of it.

    Raises:
        Garbled: It is not one.

    >>> from c2vsearch.records import Heading
    >>> made(Heading, [0, 1, "Ferries"])
    Heading(start=0, level=1, title='Ferries')
    >>> made(Heading, [0, "1", "Ferries"])
    Traceback (most recent call last):
    ...
    c2vsearch.ingest.wire.Garbled: '1' is not int
    """
    result: T = _decoder(cast(Hashable, record))(value)
    return result


@functools.cache
def _decoder(hint: Any) -> Decoder:
    """What makes a value of a type from JSON. Types are those of the records; a new kind of them fails here."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (str, int, float, bool):
        return _exactly(hint)
    if hint is datetime.datetime:
        return _time
    if dataclasses.is_dataclass(hint):
        return _record(cast(type, hint))
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _each(_decoder(inner[0]))
    if origin in (typing.Union, types.UnionType):
        return _any_of(inner)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_decoder(inner[1]))
    raise TypeError(f"no way to decode {hint}")


def _exactly(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise Garbled(f"{value!r:.40} is not {kind.__name__}")
        return value

    return decode


def _time(value: Any) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(value["time"])
    except (TypeError, KeyError, ValueError) as error:
        raise Garbled(f"{value!r:.40} is not a time") from error


def _record(record: type) -> Decoder:
    hints = typing.get_type_hints(record)
    decoders = tuple(_decoder(hints[name]) for name in _names(record))

    def decode(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(decoders):
            raise Garbled(f"{value!r:.40} is not a {record.__name__}")
        return record(*(decoder(part) for decoder, part in zip(decoders, value, strict=True)))

    return decode


def _one_of(allowed: tuple[Any, ...]) -> Decoder:
    def decode(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise Garbled(f"{value!r:.40} is none of {allowed}")
        return value

    return decode


def _each(decoder: Decoder) -> Decoder:
    def decode(value: Any) -> Any:
        if not isinstance(value, list):
            raise Garbled(f"{value!r:.40} is not a list")
        return tuple(decoder(part) for part in value)

    return decode


def _any_of(hints: tuple[Any, ...]) -> Decoder:
    decoders = [_none if hint is types.NoneType else _decoder(hint) for hint in hints]

    def decode(value: Any) -> Any:
        for decoder in decoders:
            try:
                return decoder(value)
            except Garbled:
                continue
        raise Garbled(f"{value!r:.40} is none of {hints}")

    return decode


def _none(value: Any) -> None:
    if value is not None:
        raise Garbled(f"{value!r:.40} is not None")


def _mapping(decoder: Decoder) -> Decoder:
    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Garbled(f"{value!r:.40} is not a mapping")
        return {name: decoder(part) for name, part in value.items()}

    return decode
