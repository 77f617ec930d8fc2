"""Does the text come out whole? Our readers and other people's on the same files, whose text is known.

    python benchmarks/extraction.py [--documents 30] [--peer markitdown=/path/to/python] [--peer docling=...]

Each document has a title, sections, paragraphs of made-up sentences, a list and a table, written in every format by
the libraries people write them with. Recall is the share of sentences, items and cells that come out unbroken (white
space aside); noise, the share of navigation, page headers and footers that comes out with them. A peer runs in its own
Python, loaded before the clock starts; without ``--peer`` only ours is measured.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from html import escape
from pathlib import Path

from bench import paragraphs, report

OURS = """
import json, sys, time
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, SourceFile
for line in sys.stdin:
    path = line.strip()
    began, text, error = time.perf_counter(), "", ""
    try:
        text = "\\n".join(item.text for item in read_file(SourceFile(path, path, 0, 0)) if isinstance(item, Document))
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    print(json.dumps([path, text, time.perf_counter() - began, error]), flush=True)
"""
MARKITDOWN = """
import json, sys, time
from markitdown import MarkItDown
reader = MarkItDown()
for line in sys.stdin:
    path = line.strip()
    began, text, error = time.perf_counter(), "", ""
    try:
        text = reader.convert(path).text_content
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    print(json.dumps([path, text, time.perf_counter() - began, error]), flush=True)
"""
UNSTRUCTURED = """
import json, sys, time
from unstructured.partition.auto import partition
for line in sys.stdin:
    path = line.strip()
    began, text, error = time.perf_counter(), "", ""
    try:
        text = "\\n".join(element.text for element in partition(path))
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    print(json.dumps([path, text, time.perf_counter() - began, error]), flush=True)
"""
DOCLING = """
import json, sys, time
from docling.document_converter import DocumentConverter
reader = DocumentConverter()
for line in sys.stdin:
    path = line.strip()
    began, text, error = time.perf_counter(), "", ""
    try:
        text = reader.convert(path).document.export_to_markdown()
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    print(json.dumps([path, text, time.perf_counter() - began, error]), flush=True)
"""
PEERS = {"markitdown": MARKITDOWN, "unstructured": UNSTRUCTURED, "docling": DOCLING}
_SPACE = re.compile(r"\s+")


@dataclass
class Content:
    """What a document says: everything in ``expected`` has to come out, nothing of ``noise`` should."""

    title: str
    sections: list[tuple[str, list[str]]]
    items: list[str]
    table: list[list[str]]
    noise: list[str] = field(default_factory=list)

    @property
    def expected(self) -> list[str]:
        """Strings that stand unbroken in the text."""
        sentences = [s for _, texts in self.sections for text in texts for s in re.split(r"(?<=\.) ", text)]
        headings = [heading for heading, _ in self.sections]
        return [*headings, *sentences, *self.items, *(cell for row in self.table for cell in row)]


def vocabulary() -> list[str]:
    """The words that documents are made of."""
    return sorted({word for text in paragraphs() for word in re.findall(r"\b[a-z]{4,10}\b", text)})


def content(number: int, words: list[str]) -> Content:
    """One document, different for each number."""
    chance = random.Random(number)

    def phrase(low: int, high: int) -> str:
        return " ".join(chance.choices(words, k=chance.randint(low, high))).capitalize()

    sections = [
        (
            f"{phrase(2, 4)} {part}",
            [". ".join(phrase(8, 16) for _ in range(5)) + "." for _ in range(chance.randint(2, 5))],
        )
        for part in range(chance.randint(2, 6))
    ]
    table = [["Item", "Owner", "Count"], *([phrase(1, 2), phrase(1, 2), str(1000 + row)] for row in range(6))]
    noise = [f"Confidential draft of {phrase(3, 3)}", f"Sitemap {phrase(2, 2)}"]
    return Content(phrase(3, 6), sections, [phrase(4, 8) for _ in range(5)], table, noise)


# One writer a format: content to bytes.


def as_markdown(doc: Content) -> bytes:
    """Markdown with a table."""
    parts = [f"# {doc.title}"]
    for heading, texts in doc.sections:
        parts += [f"## {heading}", *texts]
    rows = [f"| {' | '.join(row)} |" for row in doc.table]
    return "\n\n".join(
        [*parts, "\n".join(f"- {item}" for item in doc.items), "\n".join([rows[0], "|---|---|---|", *rows[1:]])]
    ).encode()


def _html_body(doc: Content) -> str:
    parts = [f"<h1>{escape(doc.title)}</h1>"]
    for heading, texts in doc.sections:
        parts += [f"<h2>{escape(heading)}</h2>", *(f"<p>{escape(text)}</p>" for text in texts)]
    parts.append("<ul>" + "".join(f"<li>{escape(item)}</li>" for item in doc.items) + "</ul>")
    rows = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in doc.table]
    return "\n".join([*parts, "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"])


def as_html(doc: Content) -> bytes:
    """A page with navigation and a footer."""
    first, second = map(escape, doc.noise)
    return (
        f"<!doctype html><html lang=en><head><title>{escape(doc.title)}</title><style>p{{}}</style></head><body>"
        f"<nav><ul><li>{second}</li></ul></nav><main>{_html_body(doc)}</main><footer>{first}</footer></body></html>"
    ).encode()


def as_docx(doc: Content) -> bytes:
    """Word, with a page header."""
    import docx

    file = docx.Document()
    file.sections[0].header.paragraphs[0].text = doc.noise[0]
    file.add_heading(doc.title, 0)
    for heading, texts in doc.sections:
        file.add_heading(heading, 1)
        for text in texts:
            file.add_paragraph(text)
    for item in doc.items:
        file.add_paragraph(item, style="List Bullet")
    table = file.add_table(rows=0, cols=3)
    for row in doc.table:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    return _saved(file.save)


def as_pptx(doc: Content) -> bytes:
    """Slides: a section each, then a list and a table."""
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    for heading, texts in [*doc.sections, (doc.title, doc.items)]:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text_frame.text = "\n".join(texts)
    frame = deck.slides.add_slide(deck.slide_layouts[5]).shapes.add_table(
        len(doc.table), 3, *[Inches(n) for n in (1, 2, 6, 3)]
    )
    for row, cells in enumerate(doc.table):
        for column, text in enumerate(cells):
            frame.table.cell(row, column).text = text
    return _saved(deck.save)


def as_xlsx(doc: Content) -> bytes:
    """A workbook: texts in one sheet, the table in another."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Heading", "Text"])
    for heading, texts in doc.sections:
        for text in texts:
            sheet.append([heading, text])
    for item in doc.items:
        sheet.append(["", item])
    table = book.create_sheet("Table")
    for row in doc.table:
        table.append([int(cell) if cell.isdigit() else cell for cell in row])
    return _saved(book.save)


def as_pdf(doc: Content) -> bytes:
    """Pages with a header and a number, text set by reportlab."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    styles, buffer = getSampleStyleSheet(), io.BytesIO()

    def frame(canvas: object, page: object) -> None:
        canvas.drawString(72, 800, doc.noise[0])  # type: ignore[attr-defined]
        canvas.drawString(300, 30, f"Page {page.page}")  # type: ignore[attr-defined]

    story: list[object] = [Paragraph(escape(doc.title), styles["Title"])]
    for heading, texts in doc.sections:
        story += [
            Paragraph(escape(heading), styles["Heading2"]),
            *(Paragraph(escape(t), styles["BodyText"]) for t in texts),
        ]
    story += [Paragraph(f"• {escape(item)}", styles["BodyText"]) for item in doc.items]
    SimpleDocTemplate(buffer).build([*story, Table(doc.table)], onFirstPage=frame, onLaterPages=frame)
    return buffer.getvalue()


def as_epub(doc: Content) -> bytes:
    """A book with a chapter."""
    container = (
        '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        "<rootfiles>"
        '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        "<metadata "
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(doc.title)}</dc:title><dc:language>en</dc:language>'
        '<dc:identifier id="i">x</dc:identifier></metadata><manifest><item id="a" href="a.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    page = (
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{_html_body(doc)}</body></html>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        for name, text in (("META-INF/container.xml", container), ("c.opf", package), ("a.xhtml", page)):
            book.writestr(name, text)
    return buffer.getvalue()


def as_eml(doc: Content) -> bytes:
    """A mail in HTML and plain text."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = doc.title, "ada@example.org", "bo@example.org"
    mail.set_content(as_markdown(doc).decode())
    mail.add_alternative(_html_body(doc), subtype="html")
    return mail.as_bytes()


def as_csv(doc: Content) -> bytes:
    """Rows of a heading and a text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["Heading", "Text"])
    writer.writerows([heading, text] for heading, texts in doc.sections for text in texts)
    writer.writerows(["", item] for item in doc.items)
    writer.writerows(["", cell] for row in doc.table for cell in row)
    return buffer.getvalue().encode()


def as_ipynb(doc: Content) -> bytes:
    """A notebook of Markdown cells and one of code."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": as_markdown(doc).decode().splitlines(keepends=True)}]
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [], "source": ["print(1)\n"]}
    return json.dumps({"cells": [*cells, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def as_rtf(doc: Content) -> bytes:
    """Rich text, written by hand."""
    lines = [doc.title, *(line for heading, texts in doc.sections for line in (heading, *texts)), *doc.items]
    lines += ["\\tab ".join(row) for row in doc.table]
    escaped = [line.replace("{", "\\{").replace("}", "\\}") for line in lines]
    return ("{\\rtf1\\ansi " + "\\par\n".join(escaped) + "\\par}").encode("ascii", "ignore")


def as_odt(doc: Content) -> bytes:
    """OpenDocument text."""
    from odfdo import Document, Header, List, Paragraph, Row, Table

    file = Document("text")
    file.body.clear()
    file.body.append(Header(1, doc.title))
    for heading, texts in doc.sections:
        file.body.append(Header(2, heading))
        for text in texts:
            file.body.append(Paragraph(text))
    file.body.append(List(doc.items))
    table = Table("t")
    for cells in doc.table:
        row = Row()
        row.set_values(cells)
        table.append_row(row)
    file.body.append(table)
    return _saved(file.save)


WRITERS: dict[str, Callable[[Content], bytes]] = {
    "md": as_markdown, "html": as_html, "docx": as_docx, "pptx": as_pptx, "xlsx": as_xlsx, "pdf": as_pdf,
    "epub": as_epub, "eml": as_eml, "csv": as_csv, "ipynb": as_ipynb, "rtf": as_rtf, "odt": as_odt,
}  # fmt: skip
# What a format has no place for, or where it is part of the text.
NOISY = {"html": (0, 1), "docx": (0,), "pdf": (0,)}


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _flat(text: str) -> str:
    """Without white space and the marks of Markdown, which readers put in at will."""
    return _SPACE.sub("", text).replace("\\", "").replace("|", "")


def extract(python: str, program: str, paths: list[Path]) -> dict[str, tuple[str, float, str]]:
    """Text, seconds and error of each file; a process that dies costs what is left."""
    process = subprocess.run(
        [python, "-c", program], input="\n".join(map(str, paths)), capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )  # fmt: skip
    rows = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("[")]
    if not rows:
        sys.exit(f"{python} gave nothing: {process.stderr[-2000:]}")
    return {path: (text, seconds, error) for path, text, seconds, error in rows}


def scores(found: dict[str, tuple[str, float, str]], docs: dict[str, Content], suffix: str) -> dict[str, float]:
    """Means over the documents of a format; the first one, which loads libraries, is left out of the time."""
    recall, noise, failures, seconds = [], [], 0, []
    for path, doc in docs.items():
        text, spent, error = found.get(path, ("", 0.0, "the process died"))
        flat = _flat(text)
        expected = [_flat(each) for each in doc.expected]
        recall.append(sum(each in flat for each in expected) / len(expected))
        noise += [_flat(doc.noise[place]) in flat for place in NOISY.get(suffix, ())]
        failures += bool(error)
        seconds.append(spent)
    return {
        "recall": round(sum(recall) / len(recall), 4),
        "noise": round(sum(noise) / len(noise), 4) if noise else 0.0,
        "failures": failures,
        "ms_a_document": round(1000 * sum(seconds[1:]) / max(len(seconds) - 1, 1), 2),
    }


def main() -> None:
    """Write the files, read them with each, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=30)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    args = parser.parse_args()
    readers = {"c2vsearch": (sys.executable, OURS)}
    readers |= {name: (python, PEERS[name]) for name, python in (peer.split("=", 1) for peer in args.peer)}
    words = vocabulary()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        for suffix, write in WRITERS.items():
            docs = {}
            for number in range(args.documents):
                path, doc = Path(place) / f"{number}.{suffix}", content(number, words)
                path.write_bytes(write(doc))
                docs[str(path)] = doc
            results[suffix] = {
                name: scores(extract(python, program, [Path(path) for path in docs]), docs, suffix)
                for name, (python, program) in readers.items()
            }
            print(suffix, json.dumps(results[suffix]), f"{time.perf_counter() - began:.0f} s", flush=True)
    report("extraction", {"documents": args.documents, "formats": results})


if __name__ == "__main__":
    main()
