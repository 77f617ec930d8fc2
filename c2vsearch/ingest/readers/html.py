"""HTML: its text in reading order, without navigation, scripts and styles, each part with its line in the file.

The standard library's parser is the engine because it says where each piece stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading, LineMark

_DROPPED = frozenset({"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "select", "button"})
_BOILERPLATE = frozenset({"nav", "footer", "aside", "form", "dialog"})
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure h1 h2 h3 h4 h5 h6 "
    "header hr legend li main ol p pre section summary table tbody tfoot thead tr ul".split()
)
_CELLS = frozenset({"td", "th"})
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_HEADING = re.compile(r"h([1-6])$")
_SPACE = re.compile(r"\s+")


def read_html(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An HTML file."""
    markup = decode(blob.data)
    parser = _parse(markup, boilerplate=False)
    if not parser.text.strip():  # a page that is all navigation is still a page
        parser = _parse(markup, boilerplate=True)
    if not parser.text.strip():
        raise UnreadableDocument("no-text", "the page has no text")
    title = parser.title or next((heading.title for heading in parser.headings), "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=parser.text, kind="html", title=title,
        headings=tuple(parser.headings), lines=tuple(parser.lines),
    )  # fmt: skip


def _parse(markup: str, *, boilerplate: bool) -> _TextParser:
    parser = _TextParser(dropped=_DROPPED if boilerplate else _DROPPED | _BOILERPLATE)
    parser.feed(markup)
    parser.close()
    parser.finish()
    return parser


class _TextParser(HTMLParser):
    """Collects blocks of text; `text`, `headings` and `lines` are ready after `finish`."""

    def __init__(self, *, dropped: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._drop = dropped
        self._dropping: list[str] = []
        self._in_title = self._in_pre = False
        self._level = 0
        self._block: list[str] = []
        self._block_line = 0
        self._blocks: list[tuple[str, int, int]] = []  # text, line in the file, heading level
        self.title = ""
        self.text = ""
        self.headings: list[Heading] = []
        self.lines: list[LineMark] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag == "body":
            self._dropping.clear()  # a head that was never closed ends here
        elif self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.append(tag)
        elif tag not in _VOID and (tag in self._drop or ("hidden", None) in attrs):
            self._end_block()
            self._dropping.append(tag)
        else:
            self._start_visible(tag)

    def _start_visible(self, tag: str) -> None:
        if tag == "br":
            self._block.append("\n")
        elif tag in _CELLS and any(part.strip() for part in self._block):
            self._block.append(" | ")
        elif tag in _BLOCKS:
            self._end_block()
            self._in_pre = self._in_pre or tag == "pre"
            if match := _HEADING.match(tag):
                self._level = int(match.group(1))

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.pop()
        elif tag in _BLOCKS:
            self._end_block()
            self._in_pre = self._in_pre and tag != "pre"
            self._level = 0 if _HEADING.match(tag) else self._level

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = _SPACE.sub(" ", self.title + data).strip()
        elif not self._dropping:
            if not any(part.strip() for part in self._block) and data.strip():
                lead = len(data) - len(data.lstrip())
                self._block_line = self.getpos()[0] + data[:lead].count("\n")
                data = data if self._in_pre else data.lstrip()
            self._block.append(data if self._in_pre else _SPACE.sub(" ", data))

    def _end_block(self) -> None:
        text = "".join(self._block)
        text = text.strip("\n") if self._in_pre else "\n".join(line.strip() for line in text.split("\n")).strip()
        if text.strip():
            self._blocks.append((text, self._block_line, self._level))
        self._block = []

    def finish(self) -> None:
        """Join the blocks and note where each came from."""
        self._end_block()
        parts: list[str] = []
        offset = 0
        for text, line, level in self._blocks:
            if level:
                self.headings.append(Heading(offset, level, _SPACE.sub(" ", text)))
            self.lines.append(LineMark(offset, line))
            if "\n" in text:
                starts = [match.end() for match in re.finditer("\n", text)]
                self.lines += [LineMark(offset + at, line + number) for number, at in enumerate(starts, start=1)]
            parts.append(text)
            offset += len(text) + 2
        self.text = "\n\n".join(parts)
