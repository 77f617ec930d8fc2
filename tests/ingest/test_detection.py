"""What a file is by its bytes: the true reader under a name that lies or says nothing, and names of text believed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.ingest.detection import detect
from c2vsearch.ingest.formats import READERS
from c2vsearch.records import Document, SourceFile


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def docx(text: str) -> bytes:
    document = pytest.importorskip("docx").Document()
    document.add_paragraph(text)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def pdf(text: str) -> bytes:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    pytest.importorskip("pypdfium2")
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer)
    page.drawString(72, 700, text)
    page.save()
    return buffer.getvalue()


def old(stream: str) -> bytes:
    """The beginning of an OLE file, with the name of one stream in its directory."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + stream.encode("utf-16-le").ljust(64, b"\0") + bytes(448)


PAGE = b"<!-- saved -->\n<!DOCTYPE html>\n<html><body><p>Sign in.</p></body></html>"
MAIL = b"From a@b.c Mon Jan  1 10:00:00 2024\nFrom: a@b.c\nSubject: One\n\nFirst.\n"
OFFICE = "[Content_Types].xml"


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"%PDF-1.7\n...", ".pdf"),
        (b"%!PS-Adobe-3.0\n", ".ps"),
        (b"\xef\xbb\xbf\n%PDF-1.4", ".pdf"),
        (b"The mark %PDF-1.4 in a text", ""),
        (b"{\\rtf1\\ansi Text}", ".rtf"),
        (b"PAR1....PAR1", ".parquet"),
        (b"ARROW1\0\0...", ".arrow"),
        (gzip.compress(b"x"), ".gz"),
        (bz2.compress(b"x"), ".bz2"),
        (bz2.compress(b""), ".bz2"),
        (b"BZh9 is what I call it", ""),
        (lzma.compress(b"x"), ".xz"),
        (b"\x28\xb5\x2f\xfd\x04", ".zst"),
        (tarred({"a": b"x"}), ".tar"),
        (zipped({"a.md": b"x"}), ".zip"),
        (zipped({}), ".zip"),
        (zipped({"a.md": b"x"})[:-9], ".zip"),
        (zipped({OFFICE: b"", "word/document.xml": b""}), ".docx"),
        (zipped({OFFICE: b"", "xl/workbook.xml": b""}), ".xlsx"),
        (zipped({OFFICE: b"", "ppt/presentation.xml": b""}), ".pptx"),
        (zipped({"word/a.md": b"x"}), ".zip"),
        (zipped({"inner.docx": zipped({OFFICE: b"", "word/document.xml": b""})}), ".zip"),
        (zipped({"mimetype": b"application/epub+zip"}), ".epub"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}), ".odt"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.text-template"}), ".odt"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), ".ods"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.presentation"}), ".odp"),
        (zipped({"mimetype": b"application/x-krita"}), ".zip"),
        (old("WordDocument"), ".doc"),
        (old("Workbook"), ".xls"),
        (old("PowerPoint Document"), ".ppt"),
        (old("EncryptedPackage"), "encrypted"),
        (old("Something"), ".ole"),
        (PAGE, ".html"),
        (b"<HTML lang=en>", ".html"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">', ".html"),
        (b"<!-- only a comment -->", ""),
        (b"<htmlish>", ""),
        (b"<!---->" * 500, ""),
        (MAIL, ".mbox"),
        (b"From here we go to Rome in 2024\nand back.", ""),
        (b"# Notes", ""),
        (b"", ""),
    ],
)
def test_what_the_bytes_are(data: bytes, suffix: str) -> None:
    assert detect(data) == suffix


def read(place: Path, name: str, data: bytes) -> list[tuple[str, str, str]]:
    (place / name).write_bytes(data)
    items = list(read_file(SourceFile(name, str(place / name), len(data), 0)))
    return [(item.kind, item.member, item.text) for item in items if isinstance(item, Document)]


def reason(place: Path, name: str, data: bytes) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        read(place, name, data)
    return caught.value.reason


@pytest.mark.parametrize("name", ["a.txt", "a", "a.md", "a.strange", "a.docx", "a.zip", "a.doc", "a.html", "a.pdf"])
def test_a_pdf_is_read_as_one(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, pdf("The ferry.")) == [("pdf", "", "The ferry.")]


@pytest.mark.parametrize("name", ["a.doc", "a.pdf", "a", "a.zip", "a.txt", "a.xls", "a.docm"])
def test_word_is_read_as_such(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, docx("The ferry.")) == [("docx", "", "The ferry.")]


@pytest.mark.parametrize("name", ["a.doc", "a.pdf", "a", "a.xls", "a.strange", "a.docx", "a.gz", "a.html"])
def test_a_page_is_read_as_one(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, PAGE) == [("html", "", "Sign in.")]


@pytest.mark.parametrize(
    ("name", "kind"), [("a.md", "markdown"), ("a.txt", "text"), ("a.js", "code"), ("a.rst", "rst")]
)
def test_text_that_is_named_as_text_is_not_doubted(tmp_path: Path, name: str, kind: str) -> None:
    for data in (PAGE, MAIL, b"{\\rtf1 Text}", b"%!PS is how PostScript begins"):
        assert read(tmp_path, name, data) == [(kind, "", data.decode())]


@pytest.mark.parametrize(
    ("name", "data", "members"),
    [
        ("backup", zipped({"a.md": b"Text."}), ["a.md"]),
        ("a.txt", zipped({"a.md": b"Text."}), ["a.md"]),
        ("a.zip", tarred({"a.md": b"Text."}), ["a.md"]),
        ("a.tar.gz", tarred({"a.md": b"Text."}), ["a.md"]),
        ("a.tar", tarred({"a.md": b"Text."}, "w:gz"), ["a.md"]),
        ("a.tgz", tarred({"a.md": b"Text."}, "w:xz"), ["a.md"]),
        ("backup", tarred({"a.md": b"Text."}, "w:gz"), ["backup/a.md"]),
        ("a.md", gzip.compress(b"Text."), ["a.md"]),
        ("a.md.xz", gzip.compress(b"Text."), ["a.md"]),
        ("A.MD.GZ", bz2.compress(b"Text."), ["A.MD"]),
        ("inbox", MAIL.replace(b"First", b"Text"), ["1.eml"]),
    ],
)
def test_what_holds_others(tmp_path: Path, name: str, data: bytes, members: list[str]) -> None:
    found = read(tmp_path, name, data)
    assert [member for _, member, _ in found] == members
    assert [text for _, _, text in found] == ["Text."] * len(members)


def test_what_is_not_read_is_named_as_what_it_is(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.docx", old("EncryptedPackage")) == "encrypted"
    assert reason(tmp_path, "a", old("Other")) == "unsupported"
    assert reason(tmp_path, "a.sketch", zipped({"a.md": b"x"})) == "binary"
    assert reason(tmp_path, "a.pdf", b"Not a page.") == "broken-pdf"
    assert reason(tmp_path, "a.docx", zipped({"a.md": b"x"})) == "broken-docx"
    if ".doc" not in READERS:
        assert reason(tmp_path, "a.doc", old("WordDocument")) == "unsupported"
    assert read(tmp_path, "a.doc", b"Plain words.") == [("text", "", "Plain words.")]


def test_media_are_refused_without_being_opened(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        list(read_file(SourceFile("a.mp4", str(tmp_path / "nothing"), 1, 0)))
    assert caught.value.reason == "unsupported"


def test_a_member_is_not_doubted_less(tmp_path: Path) -> None:
    data = zipped({"in/a.doc": PAGE, "b": tarred({"c.md": b"Text."})})
    assert read(tmp_path, "a.zip", data) == [("html", "in/a.doc", "Sign in."), ("markdown", "b/c.md", "Text.")]


@pytest.mark.parametrize("name", ["a.xls", "a", "a.pdf", "a.xlsb", "a.docx"])
def test_a_workbook_is_read_as_one(tmp_path: Path, name: str) -> None:
    openpyxl, _ = pytest.importorskip("openpyxl"), pytest.importorskip("python_calamine")
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Name"])
    book.active.append(["Ferry"])
    book.save(buffer)
    [(_, _, text)] = read(tmp_path, name, buffer.getvalue())
    assert "Ferry" in text


@pytest.mark.parametrize("name", ["a.doc", "a", "a.rtf", "a.pdf"])
def test_rich_text_is_read_as_such(tmp_path: Path, name: str) -> None:
    pytest.importorskip("striprtf")
    [(kind, _, text)] = read(tmp_path, name, b"{\\rtf1\\ansi The ferry.\\par}")
    assert (kind, text.strip()) == ("rtf", "The ferry.")
