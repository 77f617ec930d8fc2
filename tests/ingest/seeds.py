"""A small sound file of each format, to be broken. One whose library is missing is left out."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

WORDS = "The ferry leaves at nine. Grüße aus Köln. Dogs are welcome on deck, at half the fare."
RECORDS = [
    {"_id": f"r{n}", "title": f"Title {n}", "text": f"{WORDS} {n}", "metadata": {"year": 2000 + n}} for n in range(4)
]


def markdown() -> bytes:
    return (
        f"---\ntitle: Notes\ntags: [a, b]\ndate: 2024-01-01\n---\n\n# One\n\n{WORDS}\n\n"
        "| Name | Fare |\n|---|---|\n| Dog | 4.50 |\n\n```python\ndef f():\n    return 1\n```\n\n"
        f"Two\n---\n\n- item\n  - nested\n\n1. first\n\n> quoted\n\n[link](https://example.org/) {WORDS}\n"
    ).encode()


def plain() -> bytes:
    return f"{WORDS}\n\n{WORDS}\r\n\x0c{WORDS}\n".encode()


def rst() -> bytes:
    return f"=====\nTitle\n=====\n\n{WORDS}\n\nPart\n----\n\n.. note:: {WORDS}\n\n::\n\n   code\n\n:field: value\n".encode()


def html() -> bytes:
    return (
        "<!DOCTYPE html><html lang='en'><head><title>Page</title><meta name='author' content='A'></head><body>"
        f"<nav>Menu</nav><h1>One</h1><p>{WORDS}</p><table><tr><th>Name</th><td>4.50 &euro;</td></tr></table>"
        f"<ul><li>item<ul><li>nested</li></ul></li></ul><pre>code\n  more</pre><!-- no --><script>x < 1</script>"
        f"<h2>Two</h2><p>{WORDS}<br>{WORDS}</p></body></html>"
    ).encode()


def python() -> bytes:
    return b'"""Module."""\n\n\nclass A:\n    """Doc."""\n\n    @property\n    def f(self) -> int:\n        return 1\n\n\nasync def g(x): pass\n'


def c() -> bytes:
    return b"/* Ferry. */\n#include <stdio.h>\n\nstruct S { int a; };\n\nint main(int argc, char **argv) {\n\treturn 0;\n}\n"


def javascript() -> bytes:
    return b"export class A extends B {\n  constructor(x) { super(); this.x = `${x}`; }\n}\nconst f = async (a) => a + 1;\n"


def java() -> bytes:
    return b"package a.b;\n\npublic class A {\n  /** Doc. */\n  int f(int x) { return x; }\n  interface I { void g(); }\n}\n"


def go() -> bytes:
    return b"package main\n\n// F does.\nfunc (s *S) F(x int) int {\n\treturn x\n}\n\ntype S struct{ a int }\n"


def rust() -> bytes:
    return b"mod a {\n    pub struct S { x: i32 }\n    impl S {\n        pub fn f(&self) -> i32 { self.x }\n    }\n}\n"


def table() -> bytes:
    return f'Name;Fare;Note\nDog;4,50;"{WORDS}"\n"Cat ""B""";;"two\nlines"\n'.encode()


def records() -> bytes:
    return ("\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS) + "\n").encode()


def array() -> bytes:
    return json.dumps(RECORDS, indent=1).encode()


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# One\n", WORDS]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "print(1)",
            "outputs": [{"output_type": "stream", "text": ["1\n"]}],
        },
    ]
    told = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(told).encode()


def mail(*, attached: bool = True) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.org>", "b@example.org", "Grüße"
    message["Date"] = "Mon, 1 Jan 2024 10:00:00 +0100"
    message.set_content(WORDS)
    message.add_alternative(html().decode(), subtype="html")
    message.add_attachment(markdown(), maintype="text", subtype="markdown", filename="a.md")
    if attached:
        message.add_attachment(archive(), maintype="application", subtype="zip", filename="ü.zip")
    return message.as_bytes()


def mailbox() -> bytes:
    return b"".join(
        b"From a@b.c Mon Jan  1 10:00:00 2024\n" + mail(attached=False).rstrip() + b"\n\n" for _ in range(2)
    )


def archive() -> bytes:
    return zipped({"a.md": markdown(), "deep/b.html": html(), "c.txt.gz": gzip.compress(plain())})


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return buffer.getvalue()


def tar(mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as made:
        for name, data in {"a.md": markdown(), "b.zip": archive()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zst() -> bytes:
    import zstandard

    return bytes(zstandard.ZstdCompressor().compress(markdown()))


def _columns() -> dict[str, list[Any]]:
    return {name: [record[name] for record in RECORDS] for name in ("_id", "title", "text")} | {
        "when": [datetime(2024, 1, 1, tzinfo=UTC)] * 4, "nested": [{"a": [1, 2]}] * 4, "few": [None, 1.5, None, 2.5],
    }  # fmt: skip


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(_columns()), buffer, row_group_size=2)
    return buffer.getvalue()


def arrow() -> bytes:
    import pyarrow as pa

    made, buffer = pa.table(_columns()), io.BytesIO()
    with pa.ipc.new_file(buffer, made.schema) as writer:
        writer.write_table(made)
    return buffer.getvalue()


def pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    page = Canvas(buffer)
    page.setTitle("Notes")
    for number in range(3):
        page.setFont("Times-Roman", 11)
        for line in range(20):
            page.drawString(72, 760 - 14 * line, f"Page {number}, line {line}: the ferry leaves at nine.")
        page.rect(72, 100, 200, 50)
        page.showPage()
    page.save()
    return buffer.getvalue()


def docx() -> bytes:
    import docx as library

    document = library.Document()
    document.core_properties.title = "Notes"
    document.add_heading("One", 1)
    document.add_paragraph(WORDS)
    document.add_paragraph("item", style="List Bullet")
    cells = document.add_table(rows=2, cols=2)
    cells.cell(0, 0).text, cells.cell(1, 1).text = "Name", "4.50"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def pptx() -> bytes:
    import pptx as library

    show = library.Presentation()
    for number in range(2):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = f"Slide {number}", WORDS
        slide.notes_slide.notes_text_frame.text = "Notes."
    buffer = io.BytesIO()
    show.save(buffer)
    return buffer.getvalue()


def xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["Name", "Fare", "When"])
    book.active.append(["Dog", 4.5, datetime(2024, 1, 1)])
    book.create_sheet("More").append([WORDS, True, "=1+1"])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


_ODF = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content office:version="1.2" '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"><office:body>%s</office:body>'
    "</office:document-content>"
)
_ROWS = (
    '<table:table table:name="T"><table:table-row><table:table-cell><text:p>Name</text:p></table:table-cell>'
    '<table:table-cell table:number-columns-repeated="2" office:value-type="float" office:value="4.5"><text:p>4.50'
    "</text:p></table:table-cell></table:table-row></table:table>"
)


def odf(kind: str, body: str) -> bytes:
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mimetype}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    content = _ODF % body
    return zipped(
        {"mimetype": mimetype.encode(), "content.xml": content.encode(), "META-INF/manifest.xml": manifest.encode()}
    )


def odt() -> bytes:
    heading = '<text:h text:outline-level="1">One</text:h>'
    item = "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
    return odf("text", f"<office:text>{heading}<text:p>{WORDS}</text:p>{item}{_ROWS}</office:text>")


def ods() -> bytes:
    return odf("spreadsheet", f"<office:spreadsheet>{_ROWS}</office:spreadsheet>")


def odp() -> bytes:
    box = f"<draw:frame><draw:text-box><text:p>{WORDS}</text:p></draw:text-box></draw:frame>"
    return odf(
        "presentation", f'<office:presentation><draw:page draw:name="p1">{box}</draw:page></office:presentation>'
    )


def epub() -> bytes:
    container = (
        '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="b.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book</dc:title><dc:creator>Ann</dc:creator></metadata>'
        '<manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c"/></spine></package>'
    )
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>C</title></head><body><h1>One</h1><p>{WORDS}</p></body></html>'
    return zipped(
        {"mimetype": b"application/epub+zip", "META-INF/container.xml": container.encode(), "b.opf": book.encode(),
         "c.xhtml": page.encode()}
    )  # fmt: skip


def rtf() -> bytes:
    return rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Times;}}{\info{\title Notes}}\pard\b One\b0\par The ferry, gr\u252?\'df.\par \trowd\cell Name\cell\row}"


def latex() -> bytes:
    return f"\\documentclass{{article}}\n\\title{{Notes}}\n\\begin{{document}}\n\\section{{One}}\n{WORDS} $x^2$ % no\n\\begin{{itemize}}\\item a\\end{{itemize}}\n\\end{{document}}\n".encode()


def srt() -> bytes:
    return f"1\n00:00:01,000 --> 00:00:02,500\n{WORDS}\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>More.</i>\n".encode()


def vtt() -> bytes:
    return f"WEBVTT\n\nNOTE x\n\nintro\n00:01.000 --> 00:02.500 align:left\n<v Ann>{WORDS}\n".encode()


def man() -> bytes:
    return f".TH FERRY 1 2024-01-01\n.SH NAME\nferry \\- leave\n.SH DESCRIPTION\n.B bold\n{WORDS}\n.TP\n.I x\nItem.\n.nf\ncode\n.fi\n".encode()


def mdoc() -> bytes:
    return f".Dd May 1, 2024\n.Dt FERRY 1\n.Os\n.Sh NAME\n.Nm ferry\n.Nd leave\n.Sh DESCRIPTION\n{WORDS}\n.Bl -tag\n.It Fl a\nA.\n.El\n".encode()


def asciidoc() -> bytes:
    return f"= Title\nAnn <a@b.c>\n:toc:\n\n== One\n\n{WORDS}\n\n----\ncode\n----\n\n|===\n|Name |Fare\n|Dog |4\n|===\n".encode()


def org() -> bytes:
    return f"#+TITLE: Notes\n* One\n{WORDS}\n** TODO Two :tag:\n#+BEGIN_SRC python\nx\n#+END_SRC\n| a | b |\n".encode()


MAKERS: dict[str, Callable[[], bytes]] = {
    ".md": markdown, ".txt": plain, ".rst": rst, ".html": html, ".xhtml": html, ".py": python, ".c": c,
    ".js": javascript, ".ts": javascript, ".java": java, ".go": go, ".rs": rust, ".cpp": c, ".sh": plain,
    ".csv": table, ".tsv": table, ".jsonl": records, ".json": array, ".ipynb": notebook, ".eml": mail,
    ".mbox": mailbox, ".zip": archive, ".tar": tar, ".tgz": lambda: tar("w:gz"), ".tar.gz": lambda: tar("w:gz"),
    ".md.gz": lambda: gzip.compress(markdown()), ".txt.bz2": lambda: bz2.compress(plain()),
    ".html.xz": lambda: lzma.compress(html()), ".md.zst": zst, ".parquet": parquet, ".arrow": arrow, ".pdf": pdf,
    ".docx": docx, ".pptx": pptx, ".xlsx": xlsx, ".odt": odt, ".ods": ods, ".odp": odp, ".epub": epub, ".rtf": rtf,
    ".tex": latex, ".srt": srt, ".vtt": vtt, ".1": man, ".mdoc": mdoc, ".docm": docx, ".xls": xlsx, ".adoc": asciidoc, ".org": org,
}  # fmt: skip


def seeds() -> dict[str, bytes]:
    """What can be made here, by suffix."""
    made = {}
    for suffix, maker in MAKERS.items():
        with contextlib.suppress(ImportError):
            made[suffix] = maker()
    return made
