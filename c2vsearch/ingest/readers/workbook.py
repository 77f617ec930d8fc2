"""Workbooks (Excel, OpenDocument): each sheet a heading, each row told with its header."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.detection import detect
from c2vsearch.ingest.fields import TEXT_NAMES, Record, documents
from c2vsearch.ingest.package import open_package
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import named, told
from c2vsearch.optional import require
from c2vsearch.records import Document, FileReport

_MAX_CELLS = 20_000_000


def read_workbook(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """An XLSX, XLSM, XLSB, XLS or ODS file; pages are sheets, empty ones too.

    Of a sheet that has a column for the text (``--text-field``, or one of the usual names) each row is a document.

    Raises:
        MissingDependency: python-calamine is not installed.
        UnreadableDocument: "broken-workbook", "encrypted", "bomb", "too-large" or "no-text".
    """
    calamine = require("python_calamine", extra="office", purpose="reading workbooks")
    found = detect(blob.data)
    if found != ".xls" and (found, blob.suffix) != (".ole", ".xls"):  # all others are ZIP files
        open_package(blob, reading, kind="workbook")
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(blob.data))
        sheets = {name: workbook.get_sheet_by_name(name) for name in workbook.sheet_names}
        _refuse_large(sheets.values())
        rows = {name: [row for row in sheet.to_python() if any(map(_text, row))] for name, sheet in sheets.items()}
    except UnreadableDocument:
        raise
    except Exception as error:  # of the parser: its own errors and those of Rust
        reason = "encrypted" if "password" in str(error).lower() else "broken-workbook"
        raise UnreadableDocument(reason, f"{type(error).__name__}: {error}") from error
    yield from _documents(rows, blob, reading)


def _refuse_large(sheets: Any) -> None:
    cells = sum(sheet.total_height * sheet.total_width for sheet in sheets)
    if cells > _MAX_CELLS:
        raise UnreadableDocument("too-large", f"its sheets span {cells} cells; the limit is {_MAX_CELLS}")


def _documents(sheets: dict[str, list[list[Any]]], blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    parts = Parts()
    records: list[Record] = []
    for name, rows in sheets.items():
        parts.page()
        header = [_text(cell) for cell in rows[0]] if rows else []
        wanted = (reading.config.text_field,) if reading.config.text_field else TEXT_NAMES
        if any(column in wanted for column in header):
            records += [
                Record(line, dict(named(header, list(map(_text, row))))) for line, row in enumerate(rows[1:], start=2)
            ]
        else:
            _add(parts, name, header, rows, alone=len(sheets) == 1)
    if records:
        yield from documents(records, blob, reading, kind="workbook")
    if not records or parts.has_text:
        yield parts.document(blob, kind="workbook")


def _add(parts: Parts, name: str, header: list[str], rows: list[list[Any]], *, alone: bool) -> None:
    body = [told(header, list(map(_text, row))) for row in rows[1:]]
    lines = body or [" | ".join(filter(None, header))]
    if any(lines):
        if not alone:
            parts.add(name, level=1)
        for line in lines:
            parts.add(line)


def _text(cell: Any) -> str:
    """A cell as people see it: whole numbers without a fraction, times in ISO form."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return " ".join(str(cell).split())
