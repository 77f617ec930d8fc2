"""Markup in text files: headings, titles and metadata by value, lines that are those of the file, nothing that hangs."""

from __future__ import annotations

import datetime
from contextlib import suppress
from pathlib import Path

import pytest

from c2vsearch.chunking.lines import Places
from c2vsearch.errors import UnreadableDocument
from c2vsearch.records import Document
from tests.ingest.reading import outline, paragraphs, read_one, reason

MAY = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)


def made(tmp_path: Path, name: str, text: str) -> Document:
    (tmp_path / name).write_bytes(text.encode())
    return read_one(tmp_path / name)


def line_of(document: Document, words: str) -> int:
    return Places(document).line(document.text.index(words))


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: Port fees\nauthor: [Ann, Bo]\ndate: 2024-05-01\ntags: [ferry, ice]\nlang: en\ndraft: true\nn: 7\n---\n",
        '+++\ntitle = "Port fees"\nauthors = ["Ann", "Bo"]\ndate = 2024-05-01\nkeywords = ["ferry", "ice"]\nlang = "en"\n'
        "draft = true\nn = 7\n+++\n",
        '{\n"title": "Port fees", "author": "Ann, Bo", "date": "2024-05-01", "tags": "ferry; ice", "lang": "en",\n'
        '"draft": true, "n": 7}\n',
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_is_metadata(tmp_path: Path, front: str, newline: str) -> None:
    text = front + "\n# Fees\n\nA car costs nine.\n"
    found = made(tmp_path, "a.md", text.replace("\n", newline))
    assert found.title == "Port fees"
    assert found.metadata == {
        "author": "Ann, Bo", "created": MAY, "tags": ("ferry", "ice"), "language": "en", "draft": True, "n": 7,
    }  # fmt: skip
    assert found.text.strip().startswith("# Fees")
    lines = text.split("\n")
    assert line_of(found, "A car") == lines.index("A car costs nine.") + 1
    assert outline(found) == [(1, "Fees")]


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: [unclosed\n---\nText.", "---\nno end", "+++\nx = = 1\n+++\nText.", "---\n- a list\n---\nText.",
        "---\n" + "[" * 3000 + "\n---\nText.", '{\n"a": 1\n', "---\nText between rules.\n---\nMore.",
        "---\ndate: 2024-99-99\n---\nx",
    ],
)  # fmt: skip
def test_what_is_no_front_matter_is_text(tmp_path: Path, text: str) -> None:
    found = made(tmp_path, "a.md", text)
    assert found.text == text
    assert found.lines == ()


def test_yaml_that_unfolds_does_not(tmp_path: Path) -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    found = made(tmp_path, "a.md", f"---\nl0: &l0 [x, y]\n{levels}\ntitle: Bomb\n---\nText.")
    assert (found.title, found.text) == ("Bomb", "Text.")


def test_a_file_of_front_matter_alone_is_its_text(tmp_path: Path) -> None:
    found = made(tmp_path, "a.md", "---\ntitle: Only\n---\n")
    assert (found.title, found.text) == ("Only", "---\ntitle: Only\n---\n")


def test_markdown_headings(tmp_path: Path) -> None:
    text = (
        "# Top #\n\nSetext\n------\n\n```\n# code\n```\n\n<!--\n# commented\n-->\n<!-- # one line -->\n\n~~~~ sh\n## more\n~~~\n"
        "# still code\n~~~~\n\n## A [link](x) and `code` {#id}\n\n####### seven\n#nospace\n\n- item\n---\n\n###\n\n### C# ##\n"
    )
    assert outline(made(tmp_path, "a.md", text)) == [
        (1, "Top"), (2, "Setext"), (2, "A link and code"), (3, "C#"),
    ]  # fmt: skip


def test_restructured_text(tmp_path: Path) -> None:
    text = (
        "=====\nPorts\n=====\n\n:Author: Ann\n:Date: 2024-05-01\n:Version: 2\n\nText.\n\nA :ref:`link <x>`\n-----------------\n\n"
        ":Not: a field of the file\n\nSub ``x``\n~~~~~~~~~\n"
    )
    found = made(tmp_path, "a.rst", text)
    assert outline(found) == [(1, "Ports"), (2, "A link"), (3, "Sub x")]
    assert found.metadata == {"author": "Ann", "created": MAY, "version": "2"}
    assert found.text == text


def test_asciidoc(tmp_path: Path) -> None:
    text = (
        "= Port Guide\nAnn Quayle <ann@example.org>; Bo\nv1.0, 2024-05-01\n:keywords: ferry, ice\n:toc:\n\nText.\n\n"
        "== Fees\n\n----\n== code\n----\n\n....\n== literal\n....\n\n=== A `car`\n\n====\nAn example.\n\n== Inside?\n====\n"
        "\n# Markdown style\n"
    )
    found = made(tmp_path, "a.adoc", text)
    assert outline(found)[:3] == [(1, "Port Guide"), (2, "Fees"), (3, "A car")]
    assert outline(found)[-1] == (1, "Markdown style")
    assert found.metadata == {"author": "Ann Quayle, Bo", "modified": MAY, "tags": ("ferry", "ice")}
    assert (found.title, found.text) == ("Port Guide", text)


def test_org(tmp_path: Path) -> None:
    text = (
        "#+TITLE: Packing\n#+AUTHOR: Ann\n#+DATE: <2024-05-01>\n#+FILETAGS: :trip:sea:\n\n* TODO [#A] Ropes :boat:\n"
        "#+BEGIN_SRC sh\n* not a heading\n#+END_SRC\n** Knots\n*bold* is none\n"
    )
    found = made(tmp_path, "a.org", text)
    assert outline(found) == [(1, "Ropes"), (2, "Knots")]
    assert (found.title, found.text) == ("Packing", text)
    assert found.metadata == {"author": "Ann", "created": MAY, "tags": ("trip", "sea")}


def test_latex(tmp_path: Path) -> None:
    pytest.importorskip("pylatexenc")
    text = (
        "\\documentclass{article}\n\\usepackage{x}\n\\title{Tides \\emph{rise}}\n\\author{Ann\\thanks{x} \\and Bo}\n"
        "\\date{1 May 2024}\n\\begin{document}\n\\maketitle\n% a comment\nThe sea \\textbf{rises} 5\\% a day.\n"
        "It falls.\n\n\\section[Short]{Salt and \\emph{ice {deep}}}\\label{s}\nWater $a^2 + b$ freezes.\n\n"
        "\\subsection*{More}\n\\begin{itemize}\n\\item ebb\n\\item flow\n\\end{itemize}\n\\end{document}\nAfter.\n"
    )
    found = made(tmp_path, "a.tex", text)
    assert outline(found) == [(2, "Salt and ice deep"), (3, "More")]
    assert found.title == "Tides rise"
    assert found.metadata == {"author": "Ann, Bo", "created": MAY}
    assert "The sea rises 5% a day.\nIt falls." in paragraphs(found)
    assert "Water $a^2 + b$ freezes." in found.text
    assert "* ebb\n* flow" in found.text
    assert "comment" not in found.text
    assert "After" not in found.text
    lines = text.split("\n")
    for words in ("It falls", "Salt and", "Water"):
        assert words.split()[0] in lines[line_of(found, words) - 1]


def test_manual_pages(tmp_path: Path) -> None:
    text = r""".\" a comment
.TH FERRY 1 "May 2024" "Port"
.SH NAME
ferry \- cross the water
.SH SYNOPSIS
.B ferry
[\fB\-n\fR \fIcount\fR]
.BI \-\-port= name
.SH OPTIONS
.TP
.B \-n
How many \(em at most nine.
.IP "\-v" 4
Say more.
.PP
Paragraph two
goes on.
.nf
  kept
     as it is
.fi
.SS See also
.BR ship (7)
"""
    found = made(tmp_path, "ferry.1", text)
    assert paragraphs(found) == [
        "NAME", "ferry - cross the water", "SYNOPSIS", "ferry [-n count] --port=name", "OPTIONS",
        "-n: How many — at most nine.", "-v Say more.", "Paragraph two goes on.", "  kept\n     as it is", "See also",
        "ship(7)",
    ]  # fmt: skip
    assert outline(found) == [(1, "NAME"), (1, "SYNOPSIS"), (1, "OPTIONS"), (2, "See also")]
    assert (found.title, found.kind) == ("ferry(1)", "man")
    assert line_of(found, "How many") == text.split("\n").index(r"How many \(em at most nine.") + 1
    assert line_of(found, "Paragraph two") == text.split("\n").index("Paragraph two") + 1


def test_mdoc_pages(tmp_path: Path) -> None:
    text = """.Dd May 1, 2024
.Dt FERRY 8
.Sh NAME
.Nm ferry
.Nd cross the water
.Sh SYNOPSIS
.Nm
.Op Fl n Ar count
.Sh OPTIONS
.Bl -tag
.It Fl n Ar count
How many,
see
.Xr ship 7 .
.El
"""
    found = made(tmp_path, "ferry.8", text)
    assert paragraphs(found) == [
        "NAME", "ferry — cross the water", "SYNOPSIS", "ferry [-n count]", "OPTIONS", "-n count: How many, see ship 7.",
    ]  # fmt: skip


def test_a_suffix_alone_makes_no_manual_page(tmp_path: Path) -> None:
    found = made(tmp_path, "notes.1", "Just text.\n")
    assert (found.kind, found.text) == ("text", "Just text.\n")


SRT = """1
00:00:01,000 --> 00:00:03,500
{\\an8}<i>The ferry</i>

2
00:00:03,600 --> 00:00:05,000
leaves at nine.

3
00:01:30,000 --> 00:01:32,000
- And comes back?
- At ten &amp; late.
"""
VTT = """WEBVTT - ferry

STYLE
::cue { color: red }

NOTE a note
over lines

intro
00:01.000 --> 00:03.500 align:start
<v Ann>The ferry

00:03.600 --> 00:05.000
leaves at <c.loud>nine</c>.

01:01:30.000 --> 01:01:32.000
And comes back?
"""


def test_subtitles(tmp_path: Path) -> None:
    found = made(tmp_path, "talk.en.srt", SRT)
    assert paragraphs(found) == [
        "[00:00:01] The ferry leaves at nine.", "[00:01:30] - And comes back? - At ten & late.",
    ]  # fmt: skip
    assert [line_of(found, "The ferry"), line_of(found, "And comes")] == [3, 11]
    assert found.metadata == {"language": "en"}
    found = made(tmp_path, "talk.vtt", VTT)
    assert paragraphs(found) == ["[00:00:01] Ann: The ferry leaves at nine.", "[01:01:30] And comes back?"]
    (tmp_path / "b.srt").write_text("no cues")
    assert reason(tmp_path / "b.srt") == "broken-subtitles"


def test_long_talk_is_cut_at_sentences(tmp_path: Path) -> None:
    cues = "".join(
        f"{n}\n00:{n * 2 // 60:02d}:{n * 2 % 60:02d},000 --> 00:{n * 2 // 60:02d}:{n * 2 % 60:02d},900\nword{n}"
        f"{'.' if n % 4 == 3 else ''}\n\n" for n in range(120)
    )  # fmt: skip
    found = paragraphs(made(tmp_path, "a.srt", cues))
    assert len(found) == 8
    assert all(part.endswith(".") for part in found)
    assert " ".join(part.split("] ")[1] for part in found).split() == [
        f"word{n}" + ("." if n % 4 == 3 else "") for n in range(120)
    ]


@pytest.mark.parametrize("suffix", ["md", "rst", "adoc", "org", "tex", "1", "srt", "vtt", "html"])
@pytest.mark.parametrize(
    "text",
    ["*" * 200_000, "=" * 200_000, "{" * 3_000, "\\" * 50_000, "# " * 100_000, "<" * 50_000, "\n" * 200_000 + "x",
     "[" * 50_000, "\\section{" * 2_000, ".TH X 1\n" + ".B " * 50_000, "%" * 100_000, "`" * 100_000 + "\n" + "`" * 9,
     "a\n=\n" * 20_000, "-->" * 50_000, "00:" * 50_000, "---\n" * 20_000, "<!--" * 20_000],
)  # fmt: skip
def test_hostile_text_ends(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"a.{suffix}").write_text(text)
    with suppress(UnreadableDocument):
        assert read_one(tmp_path / f"a.{suffix}").text.strip()
