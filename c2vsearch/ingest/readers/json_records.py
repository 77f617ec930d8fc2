"""JSON and JSON lines: one document a record. Records without text are data, and are not read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.fields import Record, documents
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, FileReport

_BETWEEN = re.compile(r"[\s,]*")


def read_jsonl(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A file with a JSON object in each line; a broken line costs that line.

    Raises:
        UnreadableDocument: "no-text-field" or "broken-jsonl".
    """
    yield from documents(_lines(decode(blob.data)), blob, reading, kind="jsonl")


def _lines(text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Record(number, {}, f"{error}; expected a JSON object")
            continue
        yield _record(value, number)


def read_json(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A JSON file: an array of objects, or one object.

    Raises:
        UnreadableDocument: "no-text-field" or "broken-json".
    """
    text = decode(blob.data)
    start = len(text) - len(text.lstrip())
    records = _elements(text, start + 1) if text[start] == "[" else _whole(text)
    yield from documents(records, blob, reading, kind="json")


def _whole(text: str) -> Iterator[Record]:
    try:
        yield _record(json.loads(text), 1)
    except (ValueError, RecursionError) as error:
        raise UnreadableDocument("broken-json", str(error)) from error


def _elements(text: str, position: int) -> Iterator[Record]:
    """The elements of an array one after the other, each with the line it starts in."""
    decoder, line, counted = json.JSONDecoder(), 1, 0
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing as well
        line, counted = line + text.count("\n", counted, position), position
        if text[position : position + 1] == "]":
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Record(line, {}, f"{error}; what follows cannot be read")
            return
        yield _record(value, line)


def _record(value: object, line: int) -> Record:
    if isinstance(value, dict):
        return Record(line, value)
    return Record(line, {}, f"it is {json.dumps(value, ensure_ascii=False)[:40]}; expected an object")
