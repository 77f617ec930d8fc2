"""HTML against text that is known: what is kept, what is chrome, where each line came from."""

from __future__ import annotations

import datetime
from contextlib import suppress
from pathlib import Path

import pytest

from c2vsearch.chunking.lines import Places
from c2vsearch.errors import UnreadableDocument
from c2vsearch.records import Document
from tests.ingest.reading import outline, paragraphs, read_one, reason


def html(tmp_path: Path, markup: str | bytes) -> Document:
    path = tmp_path / "a.html"
    path.write_bytes(markup if isinstance(markup, bytes) else markup.encode())
    return read_one(path)


def line_of(document: Document, words: str) -> int:
    return Places(document).line(document.text.index(words))


PAGE = """<!doctype html>
<html lang="en">
<head><title>Ferries &mdash; Port of Quayle</title>
<meta name="author" content="Ann Quayle"><meta name="keywords" content="ferry, ice">
<meta property="article:published_time" content="2024-05-01T10:00:00+02:00">
<style>p { color: red }</style><script>var x = "<p>not text</p>";</script></head>
<body>
<a class="skip-link" href="#main">Skip to content</a>
<header class="site-header"><div class="logo">Port</div></header>
<nav><ul><li><a href="/">Home</a></li></ul></nav>
<div class="sidebar">Latest news</div>
<div role="navigation">Up</div>
<main>
<h1>Ferries<a class="headerlink" href="#ferries">\u00b6</a></h1>
<p>They leave at <b>nine</b>
and return
at&nbsp;ten.</p>
<ul>
  <li>a car</li>
  <li>a bicycle
    <ul><li>small</li></ul></li>
</ul>
<ol start="3"><li>third</li><li>fourth</li></ol>
<table><thead><tr><th>Port</th><th>Fee</th></tr></thead>
<tr><td><p>Quayle</p></td><td>9</td></tr>
<tr><td></td><td>2</td></tr></table>
<pre>first
   second</pre>
<aside class="footnote">A note that belongs here.</aside>
<p>Line one<br>line two <img src="x" alt="a map"></p>
<dl><dt>Ebb</dt><dd>The sea goes.</dd></dl>
<div style="display: none">secret</div><p hidden>secret</p>
</main>
<footer>Copyright</footer>
</body></html>
"""


def test_a_page(tmp_path: Path) -> None:
    found = html(tmp_path, PAGE)
    assert paragraphs(found) == [
        "Ferries",
        "They leave at nine and return at ten.",
        "- a car\n- a bicycle\n  - small",
        "3. third\n4. fourth",
        "Port | Fee\nQuayle | 9\n| 2",
        "first\n   second",
        "A note that belongs here.",
        "Line one\nline two a map",
        "Ebb\nThe sea goes.",
    ]
    assert outline(found) == [(1, "Ferries")]
    assert found.title == "Ferries — Port of Quayle"
    assert found.metadata == {
        "author": "Ann Quayle", "tags": ("ferry", "ice"), "language": "en",
        "created": datetime.datetime(2024, 5, 1, 8, tzinfo=datetime.UTC),
    }  # fmt: skip


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    found = html(tmp_path, PAGE)
    lines = PAGE.split("\n")
    for words in ("Ferries", "They leave", "a bicycle", "fourth", "Quayle | 9", "second", "A note", "The sea goes"):
        assert words.split(" | ")[0] in lines[line_of(found, words) - 1], words


@pytest.mark.parametrize("count", [70_000])
def test_lines_beyond_what_fits_in_sixteen_bits(tmp_path: Path, count: int) -> None:
    found = html(tmp_path, "\n" * count + "<p>far down</p>")
    assert line_of(found, "far down") == count + 1


def test_chrome_is_kept_where_it_is_all_there_is(tmp_path: Path) -> None:
    assert html(tmp_path, "<nav><a href=x>Home</a></nav><footer>Imprint</footer>").text == "Home\n\nImprint"


def test_what_stands_beside_a_small_main_part_is_kept(tmp_path: Path) -> None:
    found = html(tmp_path, f"<main>Short.</main><div>{'A long text beside it. ' * 20}</div>")
    assert "A long text" in found.text
    assert "Short." in found.text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one<p>two", "one\n\ntwo"),
        ("</div></p>one</table>", "one"),
        ("<b><i>one</b></i> two", "one two"),
        ("a < b &amp; c &copy; &#8364; &unknown; d", "a < b & c © € &unknown; d"),
        ("<p>one<!-- <p>hidden</p> --></p><![CDATA[x]]>", "one"),
        ("<table><tr><td><h2>Layout</h2><p>Words.</p></td><td><p>More.</p><p>Yet more.</p></td></tr></table>",
         "Layout\n\nWords. | More.\nYet more."),
        ("<template><p>no</p></template><p>yes", "yes"),
        ("<form><p>In an old form.</p><select><option>no</select></form>", "In an old form."),
        ("<p>x</p><div class='toc'>Contents</div><p>y</p>", "x\n\ny"),
        ("<ul><li><p>one</p></li><li><p>two</p></li></ul>", "- one\n- two"),
    ],
)  # fmt: skip
def test_markup_as_it_is_found(tmp_path: Path, markup: str, text: str) -> None:
    assert html(tmp_path, markup).text == text


@pytest.mark.parametrize(
    "data",
    [
        '<meta charset="windows-1251"><p>Порт Грюнау'.encode("cp1251"),
        '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"><p>船は九時に出ます'.encode(
            "shift_jis"
        ),
        "<p>Порт Грюнау".encode("utf-16"),
        '<meta charset="utf-8"><p>Grüße'.encode(),
        '<meta charset="iso-8859-1"><p>9 € “each”'.encode("cp1252"),
        '<meta charset="no-such"><p>Grüße'.encode(),
        '<meta charset="utf-16"><p>Grüße'.encode(),
        '<meta charset="rot13"><p>Grüße'.encode(),
    ],
)
def test_charsets(tmp_path: Path, data: bytes) -> None:
    assert html(tmp_path, data).text in {"Порт Грюнау", "船は九時に出ます", "Grüße", "9 € “each”"}


def test_hostile_pages_end(tmp_path: Path) -> None:
    for markup in ("<div>" * 50_000 + "x", "<" * 100_000 + "x", "<ul><li>" * 5_000 + "x", "<a b='" * 20_000 + "'>x"):
        (tmp_path / "a.html").write_text(markup)
        with suppress(UnreadableDocument):
            assert read_one(tmp_path / "a.html").text.strip()
    (tmp_path / "b.html").write_text("<script>only()</script>")
    assert reason(tmp_path / "b.html") == "no-text"


@pytest.mark.parametrize("odd", ["<![CDAT[x]]>", "<![[[[ >", "<!DOCTYPE[[>", "<![C>", "<![>", "<!>"])
def test_a_malformed_declaration_costs_itself(tmp_path: Path, odd: str) -> None:
    text = html(tmp_path, f"<p>The ferry leaves.</p>{odd}<p>It comes back.</p>").text
    assert "The ferry leaves." in text
    assert "It comes back." in text


@pytest.mark.parametrize("odd", ["<![[[[", "<![C", "<![", "<!"])
def test_a_page_that_ends_in_a_declaration(tmp_path: Path, odd: str) -> None:
    assert "The ferry leaves." in html(tmp_path, f"<p>The ferry leaves.</p>{odd}").text
