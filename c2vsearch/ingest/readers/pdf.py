"""PDF: the text of each page. pypdfium2 reads it; pypdf is asked when that is absent or cannot."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.optional import require
from c2vsearch.records import Document

MAX_PAGES = 20_000
PAGE_BREAK = "\n\n"


def read_pdf(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A PDF file. Scanned pages have no text; a file of only those is "no-text".

    Raises:
        MissingDependency: Neither pypdfium2 nor pypdf is installed.
        UnreadableDocument: "encrypted", "broken-pdf" or "no-text".
    """
    pages, title = _read(blob.data)
    texts = [page.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").strip() for page in pages]
    if not any(texts):
        raise UnreadableDocument("no-text", f"{len(texts)} pages without text: scanned, perhaps")
    starts, offset = [], 0
    for text in texts:
        starts.append(offset)
        offset += len(text) + len(PAGE_BREAK)
    text = PAGE_BREAK.join(texts)
    clean = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates from broken fonts
    yield Document(
        id="", source=blob.source, member=blob.member, text=clean, kind="pdf", title=title, pages=tuple(starts)
    )


def _read(data: bytes) -> tuple[list[str], str]:
    try:
        pdfium = require("pypdfium2", extra="pdf", purpose="reading PDF files")
    except MissingDependency:
        return _read_with_pypdf(require("pypdf", extra="pdf", purpose="reading PDF files"), data)
    return _read_with_pdfium(pdfium, data)


def _read_with_pdfium(pdfium: ModuleType, data: bytes) -> tuple[list[str], str]:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "encrypted" if "password" in str(error).lower() else "broken-pdf"
        raise UnreadableDocument(reason, str(error)) from error
    try:
        count = min(len(document), MAX_PAGES)
        title = str(document.get_metadata_dict().get("Title") or "").strip()
        return [_page_text(document, number) for number in range(count)], title
    except pdfium.PdfiumError as error:
        raise UnreadableDocument("broken-pdf", str(error)) from error
    finally:
        document.close()


def _page_text(document: Any, number: int) -> str:
    page = document[number]
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_bounded())
    finally:
        text_page.close()
        page.close()


def _read_with_pypdf(pypdf: ModuleType, data: bytes) -> tuple[list[str], str]:
    import io

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("encrypted", "a password is needed")
        title = str((reader.metadata or {}).get("/Title") or "").strip()
        return [page.extract_text() or "" for page in reader.pages[:MAX_PAGES]], title
    except UnreadableDocument:
        raise
    except Exception as error:  # a parser of hostile files raises anything
        raise UnreadableDocument("broken-pdf", f"{type(error).__name__}: {error}") from error
