"""Workbooks (Excel, OpenDocument): each sheet a heading, each row told with its header."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.detection import detect
from c2vsearch.ingest.extent import extents
from c2vsearch.ingest.fields import TEXT_NAMES, Record, documents
from c2vsearch.ingest.package import open_package, refuse_lies, said_of_itself
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.rows import named, told
from c2vsearch.optional import require
from c2vsearch.records import Document, FileReport, Value

KIND = "workbook"
_MAX_CELLS = 20_000_000
_TITLE_ROWS = 10
Row = tuple[int, list[str]]


def read_workbook(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """An XLSX, XLSM, XLSB, XLS or ODS file; pages are sheets, empty ones too, and lines the rows of an only sheet.

    Of a sheet that has a column for the text (``--text-field``, or one of the usual names) each row is a document. A
    sheet that cannot be read is reported, and the others are read.

    Raises:
        MissingDependency: python-calamine is not installed.
        UnreadableDocument: "broken-workbook", "encrypted", "bomb", "too-large" or "no-text".
    """
    calamine = require("python_calamine", extra="office", purpose="reading workbooks")
    sizes, said = _looked_over(blob, reading)
    book = _parsed(lambda: calamine.CalamineWorkbook.from_filelike(io.BytesIO(blob.data)))
    found = _Sheets(blob, reading, alone=len(book.sheet_names) == 1)
    for name in book.sheet_names:
        try:
            _refuse_large(sizes.get(name, 0))
            _parsed(partial(found.add, book, name))
        except UnreadableDocument as error:
            if error.reason == "bomb":
                raise
            found.refused.append((name, error))
    yield from found.documents(said)


def _looked_over(blob: Blob, reading: Reading) -> tuple[dict[str, int], dict[str, Value]]:
    """How large its sheets are, where that is known beforehand, and its properties."""
    found = detect(blob.data)
    if found == ".xls" or (found, blob.suffix) == (".ole", ".xls"):
        return {}, {}
    archive = open_package(blob, reading, kind=KIND)  # all others are ZIP files
    refuse_lies(archive)
    if found == ".ods":
        return {}, said_of_itself(archive, "meta.xml", kind=KIND, date="modified")
    sizes: dict[str, int] = _parsed(lambda: extents(archive, kind=KIND))
    return sizes, said_of_itself(archive, "docProps/core.xml", kind=KIND)


def _parsed(parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except UnreadableDocument:
        raise
    except BaseException as error:
        # Its own errors, and what goes wrong in Rust, which is no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = "encrypted" if "password" in str(error).lower() else f"broken-{KIND}"
        raise UnreadableDocument(reason, f"{type(error).__name__}: {error}") from error


def _refuse_large(cells: int) -> None:
    if cells > _MAX_CELLS:
        raise UnreadableDocument("too-large", f"it spans {cells} cells; the limit for a sheet is {_MAX_CELLS}")


class _Sheets:
    """What was read of the sheets of a workbook, one after the other."""

    def __init__(self, blob: Blob, reading: Reading, *, alone: bool) -> None:
        self._blob, self._reading, self._alone = blob, reading, alone
        self._parts = Parts()
        self._pages = 0
        self._records: list[Record] = []
        self.refused: list[tuple[str, UnreadableDocument]] = []

    def add(self, book: Any, name: str) -> None:
        self._page(book.sheet_names.index(name))
        sheet = book.get_sheet_by_name(name)
        _refuse_large(sheet.total_height * sheet.total_width)
        table = _Table.of(_rows(sheet, self._reading))
        wanted = (self._reading.config.text_field,) if self._reading.config.text_field else TEXT_NAMES
        if any(column in wanted for column in table.header):
            self._records += (Record(line, dict(named(table.header, row))) for line, row in table.body)
            return
        heading = "" if self._alone else name
        for line, text in table.told():
            if heading:
                self._parts.add(heading, level=1)
            heading = ""
            self._parts.add(text, line=line if self._alone else 0)

    def _page(self, before: int) -> None:
        """The next page is that of a sheet, whatever became of the sheets before it."""
        while self._pages <= before:
            self._parts.page()
            self._pages += 1

    def documents(self, said: dict[str, Value]) -> Iterator[Document | FileReport]:
        """All of it.

        Raises:
            UnreadableDocument: Nothing was read, with the reason of the first sheet that could not be.
        """
        if self.refused and not (self._records or self._parts.has_text):
            raise self.refused[0][1]
        if self._records:
            yield from documents(self._records, self._blob, self._reading, kind=KIND)
        if not self._records or self._parts.has_text:
            yield self._parts.document(self._blob, kind=KIND, title=str(said.pop("title", "")), metadata=said)
        for name, error in self.refused:
            member = self._blob.inside(name, b"").member
            yield FileReport(self._blob.source, error.status, error.reason, str(error), member=member)


@dataclass(frozen=True, slots=True)
class _Table:
    """A sheet: lines of a title above the header, the header, the rows under it."""

    titles: list[Row]
    header: list[str]
    header_line: int
    body: Iterator[Row]

    @classmethod
    def of(cls, rows: Iterator[Row]) -> _Table:
        """The header is the first row with more than one cell; in a list of one column, the first row."""
        first = list(islice(rows, _TITLE_ROWS))
        at = next((at for at, (_, row) in enumerate(first) if sum(map(bool, row)) > 1), 0)
        line, header = first[at] if first else (1, [])
        return cls(first[:at], header, line, chain(first[at + 1 :], rows))

    def told(self) -> Iterator[tuple[int, str]]:
        """Its lines for people; the header by itself only where there is nothing under it."""
        for line, row in self.titles:
            yield line, " ".join(filter(None, row))
        empty = True
        for line, row in self.body:
            empty = False
            yield line, told(self.header, row)
        if empty and any(self.header):
            yield self.header_line, " | ".join(filter(None, self.header))


def _rows(sheet: Any, reading: Reading) -> Iterator[Row]:
    """Rows that have something in them, with their number."""
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        row = list(map(_text, cells))
        reading.budget.spend(sum(map(len, row)))  # a text that is kept once may stand in every cell
        if any(row):
            yield line, row


def _text(cell: Any) -> str:
    """A cell as people see it: whole numbers without a fraction, times in ISO form, durations in hours.

    >>> _text(9.0), _text(datetime.datetime(2024, 5, 1)), _text(datetime.timedelta(hours=30))
    ('9', '2024-05-01', '30:00:00')
    """
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        minutes, seconds = divmod(int(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return " ".join(str(cell).split())
