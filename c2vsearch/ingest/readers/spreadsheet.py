"""Tables in CSV and TSV: each row with its header, or a document a row where there is a column for the text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.fields import TEXT_NAMES, Record, documents
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import named, told
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, FileReport, LineMark

_SNIFFED = 65_536
_LARGEST_CELL = 100_000_000


def read_csv(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A CSV or TSV file, whose first row is the header.

    With a column for the text (``--text-field``, or one of the usual names) each row is a document; otherwise the file
    is one, and a row reads ``header: value | header: value``.

    Raises:
        UnreadableDocument: "broken-csv", "no-text-field" or "no-text".
    """
    text = decode(blob.data)
    rows = _rows(text, _delimiter(text, blob.suffix))
    _, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    if reading.config.text_field or any(name in TEXT_NAMES for name in names):
        records = (Record(line, named(names, row)) for line, row in rows)
        yield from documents(records, blob, reading, kind="csv")
    else:
        yield _table(blob, names, rows)


def _table(blob: Blob, names: list[str], rows: Iterator[tuple[int, list[str]]]) -> Document:
    parts: list[str] = []
    marks: list[LineMark] = []
    offset = 0
    for line, row in rows:
        if text := told(names, row):
            marks.append(LineMark(offset, line))
            parts.append(text)
            offset += len(text) + 2
    if not parts:
        raise UnreadableDocument("no-text", "the table has no rows under its header")
    return Document(
        id="", source=blob.source, member=blob.member, text="\n\n".join(parts), kind="csv", lines=tuple(marks)
    )


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that have something in them, each with the line it starts in: cells may hold line breaks."""
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableDocument("broken-csv", f"line {line}: {error}") from error
        if any(cell.strip() for cell in row):
            yield line, row


def _delimiter(text: str, suffix: str) -> str:
    if suffix == ".tsv":
        return "\t"
    first = text[:_SNIFFED].split("\n", 1)[0]
    counts = {mark: first.count(mark) for mark in ",;\t|"}
    return max(counts, key=lambda mark: counts[mark]) if any(counts.values()) else ","
