"""How large the sheets of an XLSX file are, known before a parser lays them out.

A parser makes room for every cell between the first and the last: two cells in the far corners of a small file would be
17 billion. So that sheet is left out, and the others are read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

from c2vsearch.ingest.element import local
from c2vsearch.ingest.package import parse_xml
from c2vsearch.ingest.relations import reference, relations

_CELL = re.compile(rb"""<(?:\w+:)?c\s[^<>]*?\br\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,7})["'][^<>]*(?<!/)>(?!\s*</)""")
_BEGINS = re.compile(rb"<(?:\w+:)?(?:c|row)\s")
_STEP = 1 << 22
_TAIL = 1 << 16
_LONGEST_TAG = 1000


def extents(archive: zipfile.ZipFile, *, kind: str) -> dict[str, int]:
    """The cells each sheet is laid out in, by the name of the sheet; none for files of other formats.

    Raises:
        UnreadableDocument: "broken-" and the kind.
    """
    if "xl/workbook.xml" not in archive.namelist():
        return {}
    related = relations(archive, "xl/workbook.xml", kind=kind)
    book = parse_xml(archive, "xl/workbook.xml", kind=kind)
    sheets = (element for element in book.iter() if local(element.tag) == "sheet")
    files = {sheet.get("name", ""): related.get(reference(sheet)) for sheet in sheets}
    return {name: _extent(archive, file.target) for name, file in files.items() if file is not None}


def _extent(archive: zipfile.ZipFile, file: str) -> int:
    top, left, bottom, right = 1 << 30, 1 << 30, 0, 0
    for block in _blocks(archive, file):
        found = _CELL.findall(block)
        columns = [_column(letters) for letters in {letters for letters, _ in found}]
        rows = [int(row) for row in {row for _, row in found}]
        if found:
            top, bottom = min(top, *rows), max(bottom, *rows)
            left, right = min(left, *columns), max(right, *columns)
    return (bottom - top + 1) * (right - left + 1) if bottom else 0


def _blocks(archive: zipfile.ZipFile, file: str) -> Iterator[bytes]:
    """The bytes of a member, in blocks that end before a row or a cell: a cell is told by what follows its tag."""
    rest = b""
    with archive.open(file) as stream:
        while step := stream.read(_STEP):
            data = rest + step
            begins = [tag.start() for tag in _BEGINS.finditer(data, max(0, len(data) - _TAIL))]
            cut = begins[-1] if begins else max(0, len(data) - _LONGEST_TAG)
            yield data[:cut]
            rest = data[cut:]
    yield rest


def _column(letters: bytes) -> int:
    """The number of a column by its letters.

    >>> _column(b"A"), _column(b"Z"), _column(b"AA"), _column(b"XFD")
    (1, 26, 27, 16384)
    """
    number = 0
    for code in letters.upper():
        number = number * 26 + code - 64
    return number
