"""A page of HTML as blocks of text in reading order, without what surrounds it on every page of its site.

The parser is that of the standard library because it says where each piece stood; what is text and what is chrome is
told by elements, roles and the usual class names (docs/formats.md has the rules).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from c2vsearch.ingest.properties import properties
from c2vsearch.records import Value

_DROPPED = frozenset(
    "script style noscript template svg head iframe object select button textarea canvas audio video datalist".split()
)
_CHROME_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "dialog"}
)
_CHROME_NAMES = frozenset(
    """
    sidebar sphinxsidebar side-bar breadcrumb breadcrumbs cookie-banner cookie-consent cookie-notice navbar navigation
    site-nav site-header site-footer page-footer toc table-of-contents contents-list skip-link skip-to-content skiplink
    headerlink anchorjs-link permalink edit-on-github edit-this-page mw-editsection mw-jump-link navbox catlinks related
    related-posts pagination prev-next share-buttons social-share advertisement advert ads popup modal newsletter
    """.split()
)
_OUTSIDE = frozenset({"footer", "aside", "dialog"})  # chrome, but not inside of an article
_MAIN = frozenset({"main", "article"})
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 "
    "h3 h4 h5 h6 header hr legend li main ol p pre section summary table tbody tfoot thead tr ul aside dialog".split()
)
_OPAQUE = frozenset("h1 h2 h3 h4 h5 h6 ul ol li pre table tr section article hr dl dt dd".split())  # also in a cell
_LISTS = frozenset({"ul", "ol"})
_CELLS = frozenset({"td", "th"})
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_HEADING = re.compile(r"h([1-6])$")
_SPACE = re.compile(r"[^\S\xa0]+|\xa0")
_DOUBLE = re.compile(" {2,}")
_ONLY_BARS = re.compile(r"[\s|]*$")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_META = frozenset(
    """
    author dc.creator article:author description keywords article:published_time dc.date date dc.title og:title
    article:modified_time last-modified
    """.split()
)
_DEEPEST_LIST = 8


@dataclass(slots=True)
class Block:
    """A paragraph, heading (``level`` from 1), item or row; ``tight`` ones stand below the one before."""

    text: str
    line: int
    level: int = 0
    tight: bool = False
    main: bool = False


@dataclass(slots=True)
class Page:
    """What a page says."""

    blocks: list[Block]
    title: str = ""
    metadata: dict[str, Value] = field(default_factory=dict)


def parse_page(markup: str) -> Page:
    """The text of a page: of its main part when that holds most of it, of everything when all of it is chrome.

    >>> page = parse_page("<title>Ports</title><nav>Home</nav><h1>Quayle</h1><ul><li>ferry<li>ice</ul>")
    >>> [block.text for block in page.blocks], page.title
    (['Quayle', '- ferry', '- ice'], 'Ports')
    """
    parser = _parsed(markup, chrome=False)
    blocks = parser.blocks
    if not blocks:  # a page that is all navigation is still a page
        parser = _parsed(markup, chrome=True)
        blocks = parser.blocks
    main = [block for block in blocks if block.main]
    if 2 * sum(len(block.text) for block in main) > sum(len(block.text) for block in blocks):
        blocks = main
    metadata = properties(parser.said)
    title = parser.title or str(metadata.get("title", ""))
    return Page(blocks, title, {key: value for key, value in metadata.items() if key != "title"})


def _parsed(markup: str, *, chrome: bool) -> _Parser:
    parser = _Parser(chrome=chrome)
    parser.feed(markup)
    parser.close()
    parser.end_block()
    return parser


class _Parser(HTMLParser):
    """Collects blocks; forgiving, as pages are: an end that nobody began is passed over."""

    def __init__(self, *, chrome: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._keeps_chrome = chrome
        self._dropping: list[str] = []
        self._main: list[str] = []
        self._lists: list[int | None] = []  # the number of the next item; None where items have none
        self._in_title = False
        self._pre = self._level = self._cell = 0
        self._in_cell = False
        self._tight = self._list_begins = False
        self._prefix = ""
        self._parts: list[str] = []
        self._line = 0
        self.title = ""
        self.blocks: list[Block] = []
        self.said: list[tuple[str, str]] = []

    def parse_html_declaration(self, i: int) -> int:
        """Past a declaration; a malformed one is a comment, as for browsers, and not the end of the page."""
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("meta", "html"):
            self._note(tag, said)
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag == "body":
            self._dropping.clear()  # a head that was never closed ends here
        elif self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.append(tag)
        elif tag not in _VOID and self._is_dropped(tag, said):
            if tag in _BLOCKS or tag in _DROPPED or tag == "nav":
                self.end_block()
            self._dropping.append(tag)
        else:
            self._start(tag, said)

    def _is_dropped(self, tag: str, said: Mapping[str, str | None]) -> bool:
        if tag in _DROPPED or "hidden" in said or _HIDDEN.search(said.get("style") or ""):
            return True
        if self._keeps_chrome or tag in _MAIN:
            return False
        if tag == "nav" or (tag in _OUTSIDE and not self._main):
            return True
        names = {*(said.get("class") or "").lower().split(), (said.get("id") or "").lower()}
        return (said.get("role") or "") in _CHROME_ROLES or bool(names & _CHROME_NAMES)

    def _start(self, tag: str, said: Mapping[str, str | None]) -> None:
        if self._main and tag == self._main[-1]:
            self._main.append(tag)
        elif tag in _MAIN or said.get("role") == "main":
            self.end_block()
            self._main.append(tag)
        if tag == "br":
            self._parts.append("\n")
        elif tag == "img":
            self._parts.append(f" {said.get('alt') or ''} ")
        elif tag in _CELLS:
            self._start_cell()
        elif tag in _BLOCKS:
            self._start_block(tag, said)

    def _start_cell(self) -> None:
        if self._cell:
            self._parts.append(" | ")
        self._cell += 1
        self._in_cell = True

    def _start_block(self, tag: str, said: Mapping[str, str | None]) -> None:
        if self._in_cell and tag not in _OPAQUE:
            self._break_in_cell()
            return
        self.end_block()
        if tag in _LISTS:
            self._list_begins = True
            start = said.get("start") or "1"
            self._lists.append(None if tag == "ul" else int(start) if start.isdecimal() and len(start) < 9 else 1)
        elif tag == "li":
            self._start_item()
        elif tag == "tr":
            self._tight, self._cell = self._cell > 0, 0
        elif tag == "table":
            self._cell = 0
        elif tag == "dd":
            self._tight = True
        elif tag == "pre":
            self._pre += 1
        elif match := _HEADING.match(tag):
            self._level = int(match.group(1))

    def _break_in_cell(self) -> None:
        """Paragraphs of a cell are its lines; one alone makes no line of its own."""
        if self._parts and self._parts[-1].strip() not in ("", "|"):
            self._parts.append("\n")

    def _start_item(self) -> None:
        depth = min(max(len(self._lists), 1), _DEEPEST_LIST)
        number = self._lists[-1] if self._lists else None
        self._prefix = "  " * (depth - 1) + ("- " if number is None else f"{number}. ")
        if number is not None:
            self._lists[-1] = number + 1
        self._tight = not self._list_begins or len(self._lists) > 1
        self._list_begins = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.pop()
            return
        elif tag in _CELLS:
            self._in_cell = False
        elif tag in _BLOCKS and not (self._in_cell and tag not in _OPAQUE):
            self._end(tag)
        if self._main and tag == self._main[-1]:
            self.end_block()
            self._main.pop()

    def _end(self, tag: str) -> None:
        self.end_block()
        if tag == "pre":
            self._pre = max(self._pre - 1, 0)
        elif tag in _LISTS and self._lists:
            self._lists.pop()
        elif tag == "table":
            self._cell, self._in_cell = 0, False
        elif _HEADING.match(tag):
            self._level = 0

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = _SPACE.sub(" ", self.title + data).strip()
        elif not self._dropping:
            if not self._parts or not any(part.strip() for part in self._parts):
                if data.strip():
                    lead = len(data) - len(data.lstrip())
                    self._line = self.getpos()[0] + data[:lead].count("\n")
                    data = data if self._pre else data.lstrip()
            self._parts.append(data if self._pre else _SPACE.sub(" ", data))

    def end_block(self) -> None:
        """What was collected is a block."""
        text = "".join(self._parts)
        self._parts = []
        text = (
            text.strip("\n")
            if self._pre
            else "\n".join(_DOUBLE.sub(" ", line).strip() for line in text.split("\n")).strip()
        )
        if not text.strip() or _ONLY_BARS.match(text):
            return
        block = Block(self._prefix + text, self._line, self._level, self._tight, bool(self._main))
        self._prefix, self._tight = "", False
        self.blocks.append(block)

    def _note(self, tag: str, said: Mapping[str, str | None]) -> None:
        """What the head says of the page."""
        if tag == "html":
            if language := said.get("lang"):
                self.said.append(("language", language))
            return
        key = (said.get("name") or said.get("property") or said.get("http-equiv") or "").lower()
        if key in _META:
            self.said.append((key.removeprefix("og:").removeprefix("dc."), said.get("content") or ""))
