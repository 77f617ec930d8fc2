"""PDF: the text of each page in reading order. pypdfium2 reads it; pypdf is asked when that is absent.

PDFium is not safe under threads: all of a file is read in one thread, and files one after the other.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from ctypes import c_double
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.ingest.layout import Line, in_reading_order, paragraphs, vocabulary, without_furniture
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.properties import parse_time, properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.optional import require
from c2vsearch.records import Document, Value

MAX_PAGES = 20_000
Box = tuple[float, float, float, float]  # left, bottom, right, top
_JUNK_TITLE = re.compile(
    r"(?i)(untitled|microsoft (word|powerpoint|excel) - .*|.*\.(docx?|pptx?|xlsx?|indd|tex|dvi|qxd|pages))$"
)
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-]\d\d)'?(\d\d)?'?)?")
_LIGATURES = str.maketrans({chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)})
_ASCII = re.compile("[\0-\x7f]+")
_ROW = re.compile("[^\n\ufffe]*[\n\ufffe]?")  # U+FFFE is a hyphen at the end of a line
_GAP = 1.2  # heights of a line: white space wider than this may part columns
_LARGEST_HEADING = 120  # characters
_HEADING_SCALE = 1.15
_TITLE_SCALE = 1.3
_HEADING_LEVELS = 3


@dataclass(slots=True)
class _Entry:
    """An entry of the outline."""

    title: str
    level: int
    page: int


@dataclass(slots=True)
class _Print:
    """What was got out of a file: lines by page, or plain text by page where there is no geometry."""

    pages: list[list[Line]] = field(default_factory=list)
    outline: list[_Entry] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    scanned: int = 0
    broken: int = 0


def read_pdf(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A PDF file; its pages are numbered from 1 as they lie in the file.

    Raises:
        MissingDependency: Neither pypdfium2 nor pypdf is installed.
        UnreadableDocument: "encrypted", "broken-pdf", "scanned" when all pages are pictures, or "no-text".
    """
    found = _read(blob.data)
    pages = [in_reading_order(page) for page in found.pages]
    if not any(pages):
        reason = "scanned" if found.scanned else "no-text"
        raise UnreadableDocument(reason, f"{len(pages)} pages without text{': pictures' if found.scanned else ''}")
    _refuse_garbage(pages)
    bare = without_furniture(pages)
    pages = bare if any(bare) else pages  # where nothing else is printed, that is the text
    words = vocabulary(pages)
    headings = _Headings(found.outline, pages)
    parts = Parts()
    for number, page in enumerate(pages):
        parts.page()
        _add(parts, page, number, headings, words)
    said = _properties(found.said)
    title = str(said.pop("title", "")) or headings.largest(pages[0])
    counted: dict[str, Value] = {"scanned_pages": found.scanned, "broken_pages": found.broken}
    said |= {name: count for name, count in counted.items() if count}
    yield parts.document(blob, kind="pdf", title=title, metadata=said)


def _add(parts: Parts, page: list[Line], number: int, headings: _Headings, words: Counter[str]) -> None:
    for title, level in headings.above(number):
        parts.add(title, level=level)
    lines: list[Line] = []
    for line in page:  # a heading ends the paragraph above it
        if level := headings.level(number, line):
            _add_paragraphs(parts, lines, words)
            parts.add(line.text.strip(), level=level)
            lines = []
        else:
            lines.append(line)
    _add_paragraphs(parts, lines, words)


def _add_paragraphs(parts: Parts, lines: list[Line], words: Counter[str]) -> None:
    for text, tight in paragraphs(lines, words=words):
        parts.add(text, tight=tight)


class _Headings:
    """Which lines are headings: those the outline names, or those in larger type where there is no outline."""

    def __init__(self, outline: list[_Entry], pages: list[list[Line]]) -> None:
        self._levels: dict[tuple[int, int], int] = {}
        self._above: dict[int, list[tuple[str, int]]] = {}
        sizes: Counter[float] = Counter()
        for line in (line for page in pages for line in page):
            sizes[round(line.size, 1)] += len(line.text)
        self._body = sizes.most_common(1)[0][0] or 1.0
        if outline:
            self._place(outline, pages)
        else:
            self._by_size(pages)

    def level(self, page: int, line: Line) -> int:
        return self._levels.get((page, id(line)), 0)

    def above(self, page: int) -> list[tuple[str, int]]:
        """Titles of the outline that no line of the page has."""
        return self._above.get(page, [])

    def largest(self, page: list[Line]) -> str:
        """What stands on the first page in the largest type, when that is much larger than the text."""
        lines = [line for line in page if _may_head(line.text)]
        top = max((line.size for line in lines), default=0.0)
        if top < _TITLE_SCALE * self._body:
            return ""
        return " ".join(line.text.strip() for line in lines if line.size > 0.95 * top)[:_LARGEST_HEADING]

    def _place(self, outline: list[_Entry], pages: list[list[Line]]) -> None:
        for entry in outline:
            if not 0 <= entry.page < len(pages):
                continue
            match = _titled(pages[entry.page], _squeezed(entry.title))
            if match is not None:
                self._levels.setdefault((entry.page, id(match)), entry.level)
            else:
                self._above.setdefault(entry.page, []).append((entry.title, entry.level))

    def _by_size(self, pages: list[list[Line]]) -> None:
        larger = [
            (number, line) for number, page in enumerate(pages) for line in page
            if line.size >= _HEADING_SCALE * self._body and _may_head(line.text)
        ]  # fmt: skip
        if len(larger) > 0.3 * sum(map(len, pages)):
            return
        ranks = sorted({round(line.size) for _, line in larger}, reverse=True)
        for number, line in larger:
            self._levels[number, id(line)] = min(ranks.index(round(line.size)) + 1, _HEADING_LEVELS)


def _titled(page: list[Line], title: str) -> Line | None:
    """The first line that says a title, with no more than its number before it."""
    for line in page:
        text = _squeezed(line.text)
        if text.endswith(title) and len(text) <= len(title) + 8:
            return line
    return None


def _may_head(text: str) -> bool:
    text = text.strip()
    return len(text) <= _LARGEST_HEADING and any(map(str.isalpha, text)) and not text.endswith((".", ",", ";"))


def _squeezed(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _refuse_garbage(pages: list[list[Line]]) -> None:
    """Fonts without a map to characters give signs that stand for nothing."""
    text = "".join(line.text for page in pages for line in page)
    signs = Counter(_ASCII.sub("", text))
    nothing = sum(signs[sign] for sign in signs if sign == "\ufffd" or unicodedata.category(sign) in ("Co", "Cn"))
    if 2 * nothing > len(text):
        raise UnreadableDocument("no-text", "its fonts do not say which characters they print")


def _properties(said: dict[str, str]) -> dict[str, Value]:
    named = {
        "title": "" if _JUNK_TITLE.match(said.get("Title", "").strip()) else said.get("Title", ""),
        "author": said.get("Author", ""), "subject": said.get("Subject", ""), "keywords": said.get("Keywords", ""),
    }  # fmt: skip
    metadata = properties((name, _clean(text)) for name, text in named.items())
    for ours, theirs in (("created", "CreationDate"), ("modified", "ModDate")):
        if (match := _DATE.match(said.get(theirs, ""))) and (time := parse_time(_iso(match))):
            metadata[ours] = time
    return metadata


def _iso(match: re.Match[str]) -> str:
    year, month, day, hour, minute, second, zone, zone_minute = match.groups()
    clock = f"{hour or '00'}:{minute or '00'}:{second or '00'}"
    shift = f"{zone}:{zone_minute or '00'}" if zone else "+00:00"
    return f"{year}-{month or '01'}-{day or '01'}T{clock}{shift}"


def _clean(text: str) -> str:
    if text.isascii():
        return text
    return text.translate(_LIGATURES).replace("\xa0", " ").encode("utf-8", "replace").decode("utf-8")


def _read(data: bytes) -> _Print:
    try:
        pdfium = require("pypdfium2", extra="pdf", purpose="reading PDF files")
    except MissingDependency:
        return _read_with_pypdf(require("pypdf", extra="pdf", purpose="reading PDF files"), data)
    return _read_with_pdfium(pdfium, data)


def _read_with_pdfium(pdfium: ModuleType, data: bytes) -> _Print:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "encrypted" if "password" in str(error).lower() else "broken-pdf"
        raise UnreadableDocument(reason, str(error)) from error
    found = _Print()
    try:
        found.said = {key: str(value) for key, value in document.get_metadata_dict().items()}
        found.outline = _outline(pdfium, document)
        for number in range(min(len(document), MAX_PAGES)):
            _take_page(pdfium, document, number, found)
        return found
    except pdfium.PdfiumError as error:
        raise UnreadableDocument("broken-pdf", str(error)) from error
    finally:
        document.close()


def _outline(pdfium: ModuleType, document: Any) -> list[_Entry]:
    entries = []
    try:
        for item in document.get_toc(max_depth=10):
            target = item.get_dest()
            page = target.get_index() if target is not None else None
            title = " ".join(_clean(item.get_title()).split())
            if page is not None and title:
                entries.append(_Entry(title, item.level + 1, page))
    except (pdfium.PdfiumError, ValueError, RecursionError):  # a broken outline heads nothing
        return entries
    return entries


def _take_page(pdfium: ModuleType, document: Any, number: int, found: _Print) -> None:
    """One page; a broken one costs itself."""
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pdfium.PdfiumError:
        found.broken += 1
        found.pages.append([])
        return
    try:
        lines = _lines(pdfium, text_page)
        if not lines and any(True for _ in page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE], max_depth=2)):
            found.scanned += 1
        found.pages.append(lines)
    finally:
        text_page.close()
        page.close()


def _lines(pdfium: ModuleType, text_page: Any) -> list[Line]:
    """The lines of a page as PDFium orders them, cut where the white space is wide."""
    lines: list[Line] = []
    ruler = _Ruler(pdfium, text_page)
    index = 0
    for row, text in enumerate(_ROW.findall(text_page.get_text_range())):
        count = len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
        if text.strip():
            lines += _segments(ruler, text, index, count, row)
        index += count
    return lines


class _Ruler:
    """Measures what stands on a page, in points.

    Into the same four numbers again and again: to make new ones, as the helpers of the library do for each box, takes
    longer than to measure.
    """

    def __init__(self, pdfium: ModuleType, text_page: Any) -> None:
        self._pdfium, self._raw, self._page = pdfium, pdfium.raw, text_page.raw
        self._sides = tuple(c_double() for _ in range(4))

    def rects(self, start: int, count: int) -> list[Box]:
        """The boxes of so many characters, one for each run of them."""
        return [self._rect(number) for number in range(self._raw.FPDFText_CountRects(self._page, start, count))]

    def _rect(self, number: int) -> Box:
        left, bottom, right, top = self._sides
        self._expect(self._raw.FPDFText_GetRect(self._page, number, left, top, right, bottom))
        return left.value, bottom.value, right.value, top.value

    def left(self, index: int) -> float:
        """Where a character begins."""
        left, bottom, right, top = self._sides
        self._expect(self._raw.FPDFText_GetCharBox(self._page, index, left, right, bottom, top))
        return left.value

    def size(self, index: int) -> float:
        """The size of the type of a character."""
        return float(self._raw.FPDFText_GetFontSize(self._page, index))

    def _expect(self, measured: int) -> None:
        if not measured:
            raise self._pdfium.PdfiumError("a box on the page cannot be measured")


def _segments(ruler: _Ruler, text: str, start: int, count: int, row: int) -> list[Line]:
    rects = ruler.rects(start, count)
    if not rects:
        return [_line(text, (0.0, 0.0, 0.0, 0.0), 0.0, row)]
    size = ruler.size(start + len(text) - len(text.lstrip()))
    if len(rects) == 1:
        return [_line(text, rects[0], size, row)]
    lefts, bottoms, rights, tops = zip(*rects, strict=True)
    box = (min(lefts), min(bottoms), max(rights), max(tops))
    across = sorted(rects)
    height = max(box[3] - box[1], 1.0)
    wide = [
        (first[2], second[0])
        for first, second in zip(across, across[1:], strict=False)
        if second[0] - first[2] > _GAP * height
    ]
    if not wide or len(text) != count:
        return [_line(text, box, size, row)]
    return _cut(ruler, text, start, box, size, row, wide)


def _cut(
    ruler: _Ruler, text: str, start: int, box: Box, size: float, row: int, wide: list[tuple[float, float]]
) -> list[Line]:
    """A line cut at places on the page."""
    cuts = [0]
    for end, begin in wide:
        beyond = (
            at for at in range(cuts[-1] + 1, len(text))
            if not text[at].isspace() and ruler.left(start + at) > (end + begin) / 2
        )  # fmt: skip
        at = next(beyond, None)
        if at is None or not text[at - 1].isspace():  # its characters do not stand in order: it is left whole
            return [_line(text, box, size, row)]
        cuts.append(at)
    lefts, rights = [box[0], *(begin for _, begin in wide)], [*(end for end, _ in wide), box[2]]
    pieces = [text[first:last] for first, last in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    return [
        _line(piece, (left, box[1], right, box[3]), size, row)
        for piece, left, right in zip(pieces, lefts, rights, strict=True) if piece.strip()
    ]  # fmt: skip


def _line(text: str, box: Box, size: float, row: int) -> Line:
    return Line(_clean(text).replace("\0", "\ufffd").strip("\r\n"), *box, size, row)


def _read_with_pypdf(pypdf: ModuleType, data: bytes) -> _Print:
    """Without geometry: lines stand below each other as they come, one under the other."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("encrypted", "a password is needed")
        found = _Print(said={key.lstrip("/"): str(value) for key, value in (reader.metadata or {}).items()})
        for page in reader.pages[:MAX_PAGES]:
            texts = [text for text in (page.extract_text() or "").split("\n") if text.strip()]
            found.pages.append(
                [_line(text, (0.0, -12.0 * n, 0.0, 10 - 12.0 * n), 0.0, n) for n, text in enumerate(texts)]
            )
            found.scanned += not texts and "/XObject" in (page.get("/Resources") or {})
        return found
    except UnreadableDocument:
        raise
    except Exception as error:  # a parser of hostile files raises anything
        raise UnreadableDocument("broken-pdf", f"{type(error).__name__}: {error}") from error
