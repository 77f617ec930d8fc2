"""Real files, good and bad: each becomes a document or ends with its reason, and nothing outside is read."""

from __future__ import annotations

import json
import os
import socket
import unicodedata
from pathlib import Path

import pytest

from c2vsearch.config import WalkConfig
from c2vsearch.errors import MissingDependency, SourceNotFound, UnreadableDocument
from c2vsearch.ingest import read_file, walk
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, FileReport, SourceFile


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def found(root: Path, **settings: object) -> list[str]:
    entries = walk(root, config=WalkConfig(**settings))  # type: ignore[arg-type]
    return [entry.source for entry in entries if isinstance(entry, SourceFile)]


def refused(root: Path, **settings: object) -> dict[str, str]:
    entries = walk(root, config=WalkConfig(**settings))  # type: ignore[arg-type]
    return {entry.source: f"{entry.status}: {entry.reason}" for entry in entries if isinstance(entry, FileReport)}


def read(root: Path, name: str) -> Document:
    [entry] = [entry for entry in walk(root, config=WalkConfig()) if entry.source == name]
    assert isinstance(entry, SourceFile)
    [document] = read_file(entry)
    assert isinstance(document, Document)
    return document


def reason(root: Path, name: str, content: bytes) -> str:
    write(root, {name: content})
    with pytest.raises(UnreadableDocument) as caught:
        read(root, name)
    return caught.value.reason


# The walk.


def test_order_is_that_of_paths(tmp_path: Path) -> None:
    write(tmp_path, {"b.md": "x", "a/z.md": "x", "a.md": "x", "a/b/c.md": "x", "B.md": "x"})
    assert found(tmp_path) == ["B.md", "a/b/c.md", "a/z.md", "a.md", "b.md"]  # a directory's files stand together


def test_ignore_rules_as_git_reads_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "*.log\nbuild/\n/only-top.md\n!keep.log\n",
            "a.log": "x",
            "keep.log": "x",
            "build/a.md": "x",
            "only-top.md": "x",
            "sub/only-top.md": "x",
            "sub/.gitignore": "*.md\n!b.md\n",
            "sub/a.md": "x",
            "sub/b.md": "x",
            "sub/deep/c.md": "x",
            ".c2vsearchignore": "drafts\n",
            "drafts/d.md": "x",
            "node_modules/m.md": "x",
        },
    )
    assert found(tmp_path) == ["keep.log", "sub/b.md"]
    assert set(found(tmp_path, ignore_files=False)) == {
        "a.log",
        "keep.log",
        "build/a.md",
        "only-top.md",
        "sub/only-top.md",
        "sub/a.md",
        "sub/b.md",
        "sub/deep/c.md",
        "drafts/d.md",
    }


def test_rules_above_the_root_apply(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "*.tmp.md\ndocs/private/\n", "docs/a.md": "x", "docs/b.tmp.md": "x", "docs/private/c.md": "x"},
    )
    (tmp_path / ".git").mkdir()
    assert found(tmp_path / "docs") == ["a.md"]


def test_include_exclude_hidden_and_size(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x", "b.txt": "x", ".hidden/c.md": "x", "sub/d.md": "x", "big.md": "x" * 50})
    assert found(tmp_path, include=("*.md",), exclude=("sub/",), max_file_bytes=10) == ["a.md"]
    assert ".hidden/c.md" in found(tmp_path, hidden=True)
    assert refused(tmp_path, max_file_bytes=10) == {"big.md": "skipped: too-large"}


def test_links_pipes_and_sockets_are_counted_not_followed(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"a.md": "x", "sub/b.md": "x"})
    (root / "loop").symlink_to(root)
    (root / "outside").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        assert found(root) == ["a.md", "sub/b.md"]
        assert refused(root) == {
            "loop": "skipped: symlink",
            "outside": "skipped: symlink",
            "dangling": "skipped: symlink",
            "pipe": "skipped: not-regular",
            "socket": "skipped: not-regular",
        }


@pytest.mark.parametrize(
    "name", [b"sp ace.md", b"new\nline.md", "🎉.md".encode(), b"caf\xe9.md", b"-dash.md", b"esc\x1b[2J.md"]
)
def test_names_of_any_bytes(tmp_path: Path, name: bytes) -> None:
    with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
        file.write(b"some text")
    [source] = found(tmp_path)
    assert os.fsencode(source) == name
    assert read(tmp_path, source).text == "some text"


def test_an_index_is_not_a_document(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x", "index/versions/00000001.json": "{}", "index/shards/a.md": "x"})
    assert found(tmp_path) == ["a.md"]


def test_a_file_is_itself_whatever_the_rules_say(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*", "a.md": "x"})
    assert found(tmp_path / "a.md") == ["a.md"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="no file or directory"):
        found(tmp_path / "nowhere")
    assert found(tmp_path) == []


def test_a_tree_deeper_than_recursion(tmp_path: Path) -> None:
    place, depth = os.getcwd(), 1200
    os.chdir(tmp_path)
    try:
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        # Beyond the longest path the system takes, nothing is lost but what cannot be reached.
        assert found(tmp_path) == []
        assert set(refused(tmp_path).values()) <= {"failed: unreadable"}
    finally:
        for _ in range(depth):  # pytest's own clearing away is recursive
            os.chdir("..")
            os.rmdir("d")
        os.chdir(place)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.md": "x", "closed/b.md": "x"})
    real_scan, real_open = os.scandir, os.open

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    def open_(path: str, *arguments: int, **named: int) -> int:
        if str(path).endswith("a.md"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *arguments, **named)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "open", open_)
    assert refused(tmp_path) == {"closed/": "failed: permission"}
    with pytest.raises(UnreadableDocument, match="permission"):
        read(tmp_path, "a.md")


# Text.


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings(encoding: str) -> None:
    text = "Grüße aus Köln, the quick brown fox\nsecond line"
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Die Straße über die Brücke führt nach Köln. " * 3),
        ("cp1252", "“Quoted” — with a dash… and café"),
        ("shift_jis", "東京の天気は晴れです。明日は雨が降るでしょう。" * 4),
        ("gb18030", "今天天气很好，我们去公园散步吧。" * 6),
    ],
)
def test_older_encodings(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_damaged_utf8_keeps_the_rest() -> None:
    assert decode("Grüße, ".encode() * 20 + b"\xff bad") == "Grüße, " * 20 + "\ufffd bad"


def test_nul_and_surrogates_cannot_reach_the_index() -> None:
    text = decode("ok é \ud800 end".encode("utf-8", "surrogatepass") + b" " * 4000 + b"\0")
    assert "\0" not in text
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x7fELF" + b"x" * 50, "binary"),
        (b"a\0b\0c" * 9, "binary"),
        (b"\xef\xbb\xbf", "empty"),
    ],
)
def test_what_is_not_text(tmp_path: Path, content: bytes, expected: str) -> None:
    assert reason(tmp_path, "file.txt", content) == expected


def test_other_reasons(tmp_path: Path) -> None:
    assert reason(tmp_path, "data.json", b"{}") == "no-text-field"
    assert reason(tmp_path, "b.pdf", b"%PDF-1.4 nonsense") == "broken-pdf"
    assert reason(tmp_path, "b.docx", b"no archive") == "broken-docx"
    write(tmp_path, {"gone.md": "x"})
    [entry] = [e for e in walk(tmp_path, config=WalkConfig()) if e.source == "gone.md"]
    (tmp_path / "gone.md").unlink()
    assert isinstance(entry, SourceFile)
    with pytest.raises(UnreadableDocument, match="gone before"):
        list(read_file(entry))
    os.mkfifo(tmp_path / "gone.md")  # must not block
    with pytest.raises(UnreadableDocument, match="pipe"):
        list(read_file(entry))


# Readers.


def test_markdown(tmp_path: Path) -> None:
    text = "---\ntitle: 'From above'\n---\n# One `x`\n\ntext\n\n```\n# not\n```\n\nTwo\n---\n\n### Three ###\n"
    document = read(write(tmp_path, {"a.md": text}), "a.md")
    assert document.title == "From above"
    assert [(heading.level, heading.title) for heading in document.headings] == [(1, "One x"), (2, "Two"), (3, "Three")]
    for heading in document.headings:
        assert document.text[heading.start :].lstrip("# ").startswith(heading.title.split()[0])


def test_rst(tmp_path: Path) -> None:
    text = "=====\nTitle\n=====\n\nPart\n----\n\ntext\n\nDeep\n~~~~\n\nPart 2\n------\n\n.. note::\n\n   ----\n"
    document = read(write(tmp_path, {"a.rst": text}), "a.rst")
    assert document.title == "Title"
    assert [(heading.level, heading.title) for heading in document.headings] == [
        (1, "Title"),
        (2, "Part"),
        (3, "Deep"),
        (2, "Part 2"),
    ]


def test_html_keeps_text_and_lines(tmp_path: Path) -> None:
    page = (
        "<html><head><title>A &amp; B</title><style>p{}</style></head>\n<body><nav>Home | Away</nav>\n<h1>Big\n thing</h1>\n"
        "<p>First <b>para</b>graph.</p>\n\n<script>var x = '<p>no</p>';</script>\n<table><tr><td>a</td><td>b</td></tr></table>\n"
        "<pre>x  = 1\ny  = 2</pre><p hidden>unseen</p><footer>(c)</footer></body></html>"
    )
    document = read(write(tmp_path, {"a.html": page}), "a.html")
    assert document.title == "A & B"
    assert document.text == "Big thing\n\nFirst paragraph.\n\na | b\n\nx  = 1\ny  = 2"
    lines = page.splitlines()
    for mark in document.lines:
        word = document.text[mark.start :].split()[0].rstrip(".")
        assert word in lines[mark.line - 1]
    assert [heading.title for heading in document.headings] == ["Big thing"]


def test_html_that_is_all_navigation_and_deep(tmp_path: Path) -> None:
    assert read(write(tmp_path, {"n.html": "<nav>Only this</nav>"}), "n.html").text == "Only this"
    deep = "<div>" * 20_000 + "core" + "</div>" * 20_000
    assert read(write(tmp_path, {"d.html": deep}), "d.html").text == "core"


PYTHON = "import os\n\n\nclass A:\n    @property\n    def f(self):\n        return 1\n\n\ndef g():\n    pass\n"


def test_python_headings(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": PYTHON, "crlf.py": PYTHON.replace("\n", "\r\n"), "b.py": "def broken(:"})
    for name in ("a.py", "crlf.py"):
        document = read(tmp_path, name)
        assert [heading.title for heading in document.headings] == ["A", "A.f", "g"]
        starts = [document.text[heading.start :].split()[0] for heading in document.headings]
        assert starts == ["class", "@property", "def"]
    assert read(tmp_path, "b.py").headings == ()


def test_pdf_pages(tmp_path: Path) -> None:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    drawing = canvas.Canvas(str(tmp_path / "a.pdf"))
    for text in ("First page text", "Second page text"):
        drawing.drawString(100, 700, text)
        drawing.showPage()
    drawing.setTitle("The guide")
    drawing.save()
    document = read(tmp_path, "a.pdf")
    assert document.title == "The guide"
    assert [document.text[start : start + 5] for start in document.pages] == ["First", "Secon"]


def test_pdf_encrypted__and_without_text(tmp_path: Path) -> None:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    blank = canvas.Canvas(str(tmp_path / "blank.pdf"))
    blank.showPage()
    blank.save()
    locked = canvas.Canvas(str(tmp_path / "locked.pdf"), encrypt="secret")
    locked.drawString(100, 700, "hidden")
    locked.save()
    for name, expected in (("blank.pdf", "no-text"), ("locked.pdf", "encrypted")):
        with pytest.raises(UnreadableDocument) as caught:
            read(tmp_path, name)
        assert caught.value.reason == expected


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    write(tmp_path, {"a.pdf": b"%PDF-1.4", "a.xlsx": b"PK"})
    for module in ("pypdfium2", "pypdf", "python_calamine"):
        monkeypatch.setitem(sys.modules, module, None)
    for name, extra in (("a.pdf", "pdf"), ("a.xlsx", "office")):
        with pytest.raises(MissingDependency, match=rf"c2vsearch\[{extra}\]"):
            read(tmp_path, name)


def test_docx(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = "Procedure"
    document.add_heading("Step one", level=2)
    document.add_paragraph("Do it.")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    document.save(str(tmp_path / "a.docx"))
    result = read(tmp_path, "a.docx")
    assert (result.title, result.text) == ("Procedure", "Step one\n\nDo it.\n\nleft | right")
    assert [(heading.level, heading.title) for heading in result.headings] == [(2, "Step one")]


def test_zip_bomb(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 50_000_000)
    with pytest.raises(UnreadableDocument, match="would unpack"):
        read(tmp_path, "bomb.docx")


def test_accents_that_follow_their_letter_are_composed(tmp_path: Path) -> None:
    """NFD, as macOS and some editors write it, is found and cited like any other text."""
    apart, whole = "Cafe\u0301 in Mu\u0308nchen \u1112\u1161\u11ab", "Caf\u00e9 in M\u00fcnchen \ud55c"
    files = {
        "a.md": f"# {apart}\n\n{apart}\n\n## Part\n\n{apart}\n",
        "a.txt": apart,
        "a.html": f"<h1>{apart}</h1><p>{apart} &#101;&#769;</p>",
        "a.json": json.dumps([{"id": "1", "text": apart}]),
        "a.csv": f"id,text\n1,{apart}\n",
        "a.eml": f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{apart}\n",
        "a.ipynb": json.dumps({"cells": [{"cell_type": "markdown", "metadata": {}, "source": [apart]}], "nbformat": 4}),
        "a.1": f".TH X 1\n.SH NAME\nx \\- {apart}\n.SH MORE\n{apart}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        [document] = list(read_file(SourceFile(name, str(path), 0, 0)))
        assert whole in document.text, name
        assert unicodedata.is_normalized("NFC", document.text), name
        for heading in document.headings:
            assert heading.title in document.text[heading.start : heading.start + 40], name
