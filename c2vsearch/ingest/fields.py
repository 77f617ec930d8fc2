"""Records to documents: which fields hold the text, the id, the title and the metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.annotations import as_value
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import fit
from c2vsearch.records import Document, FileReport, LineMark, Value

# Looked for in this order where the settings name none; the BEIR layout (_id, title, text, metadata) is among them.
TEXT_NAMES = ("text", "content", "contents", "body", "passage", "document", "abstract", "description", "message")
ID_NAMES = ("_id", "id", "doc_id", "docid", "document_id", "uid", "key")
TITLE_NAMES = ("title", "subject", "name", "heading")
FIELDS_TOLD = 12


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line of the file it starts in, or what is wrong with that line."""

    line: int
    fields: Mapping[str, Any]
    problem: str = ""


def documents(records: Iterable[Record], blob: Blob, reading: Reading, *, kind: str) -> Iterator[Document | FileReport]:
    """A document for each record that has text; a report for each that has none, or is broken.

    Raises:
        UnreadableDocument: "no-text-field" when the first sound record has no field for the text, "broken-..." when
            no record is sound.
    """
    names = _Names(reading)
    seen: dict[str, int] = {}
    sound = False
    broken: list[FileReport] = []
    for number, record in enumerate(records, start=1):
        if record.problem:
            place = f"line {record.line}"
            found = FileReport(
                blob.source, "failed", f"broken-{kind}", f"{place}: {record.problem}", member=_inside(blob, place)
            )
            if sound:
                yield found
            else:
                broken.append(found)
            continue
        if not sound:
            names.expect_text(record)
            sound = True
            yield from broken
        yield _document(record, blob, names, member=_unique(names.id(record, number), seen), kind=kind)
    if not sound:
        detail = broken[0].detail if broken else "it has no records"
        raise UnreadableDocument(f"broken-{kind}" if broken else "empty", detail)


def _document(record: Record, blob: Blob, names: _Names, *, member: str, kind: str) -> Document | FileReport:
    text = names.text(record)
    inside = _inside(blob, member)
    if not text.strip():
        return FileReport(blob.source, "empty", detail=f"line {record.line}: a record without text", member=inside)
    return Document(
        id="", source=blob.source, member=inside, text=text, kind=kind, title=names.title(record),
        lines=(LineMark(0, record.line),), metadata=names.metadata(record),
    )  # fmt: skip


def _inside(blob: Blob, name: str) -> str:
    return f"{blob.member}/{name}" if blob.member else name


def _unique(name: str, seen: dict[str, int]) -> str:
    """A name nobody else in the file has: the second "7" is "7#2"."""
    seen[name] = seen.get(name, 0) + 1
    if seen[name] == 1:
        return name
    return _unique(f"{name}#{seen[name]}", seen)


class _Names:
    """The fields of the records of one file."""

    def __init__(self, reading: Reading) -> None:
        config = reading.config
        self._texts = (config.text_field,) if config.text_field else TEXT_NAMES
        self._ids = (config.id_field,) if config.id_field else ID_NAMES
        self._kept = config.metadata_fields

    def expect_text(self, record: Record) -> None:
        if not any(isinstance(field(record.fields, name), str) for name in self._texts):
            there = list(map(str, record.fields))
            told = ", ".join(there[:FIELDS_TOLD]) + (" ..." if len(there) > FIELDS_TOLD else "")
            raise UnreadableDocument(
                "no-text-field",
                f"line {record.line}: no field {' or '.join(self._texts[:3])} among: {told or 'none'}; "
                "name the one with the text: --text-field",
            )

    def text(self, record: Record) -> str:
        found = [value for name in self._texts if isinstance(value := field(record.fields, name), str)]
        return fit(next((value for value in found if value.strip()), ""))

    def id(self, record: Record, number: int) -> str:
        found = [field(record.fields, name) for name in self._ids]
        known = next((value for value in found if isinstance(value, str | int) and str(value).strip()), number)
        return fit(str(known)).strip()

    def title(self, record: Record) -> str:
        found = [field(record.fields, name) for name in TITLE_NAMES if name not in self._texts]
        return fit(" ".join(next((value for value in found if isinstance(value, str)), "").split()))

    def metadata(self, record: Record) -> dict[str, Value]:
        values = {name: field(record.fields, name) for name in self._kept}
        more = record.fields.get("metadata")
        if not self._kept and isinstance(more, Mapping):
            values = dict(more)
        told = {str(name): as_value(value) for name, value in values.items()}
        return {name: value for name, value in told.items() if value is not None}


def field(fields: Mapping[str, Any], name: str) -> Any:
    """A field by name, or by a path of names with dots; None where there is none.

    >>> field({"a": {"b": 1}, "a.c": 2}, "a.b"), field({"a.c": 2}, "a.c"), field({}, "x")
    (1, 2, None)
    """
    if name in fields:
        return fields[name]
    head, dot, rest = name.partition(".")
    inner = fields.get(head)
    return field(inner, rest) if dot and isinstance(inner, Mapping) else None
