"""Markdown, verbatim below its front matter, with its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.ingest.front_matter import front_matter, line_marks
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_CLOSING = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_NAME = re.compile(r"[ \t]*\{:?[ \t]*[#.][^{}]*\}[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def read_markdown(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A Markdown file. Front matter is metadata, not text, and lines are still those of the file."""
    text = decode(blob.data)
    front = front_matter(text)
    if front.end and not text[front.end :].strip():  # all of it is front matter: then that is the text
        front = type(front)(front.said)
    body = text[front.end :]
    headings = markdown_headings(body)
    said = dict(front.said)
    title = str(said.pop("title", "")) or next((heading.title for heading in headings if heading.level == 1), "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=body, kind="markdown", title=title,
        headings=tuple(headings), lines=line_marks(text, front.end) if front.end else (), metadata=said,
    )  # fmt: skip


def markdown_headings(text: str) -> list[Heading]:
    r"""ATX and setext headings outside of fenced code and comments.

    >>> [(h.level, h.title) for h in markdown_headings("# One {#top}\n```\n# code\n```\nTwo\n---\n")]
    [(1, 'One'), (2, 'Two')]
    """
    headings: list[Heading] = []
    outside = _Outside()
    previous, previous_start, offset = "", 0, 0
    for line in re.split("(?<=\n)", text):
        bare = line.rstrip("\r\n")
        if not outside.takes(bare):
            bare = ""
        elif match := _ATX.match(bare):
            headings.append(Heading(offset, len(match.group(1)), _plain(_CLOSING.sub("", match.group(2) or ""))))
            bare = ""
        elif previous.strip() and (match := _SETEXT.match(bare)):
            headings.append(Heading(previous_start, 1 if match.group(1)[0] == "=" else 2, _plain(previous)))
            bare = ""
        opens = bare.lstrip().startswith(("-", "*", "+", ">", "|"))
        previous, previous_start = ("", offset) if opens else (bare, offset)
        offset += len(line)
    return [heading for heading in headings if heading.title]


class _Outside:
    """Whether a line is outside of fenced code and of comments over several lines."""

    def __init__(self) -> None:
        self._fence = ""
        self._in_comment = False

    def takes(self, line: str) -> bool:
        if self._in_comment:
            self._in_comment = "-->" not in line
            return False
        if match := _FENCE.match(line):
            mark = match.group(1)
            if not self._fence:
                self._fence = mark
            elif mark[0] == self._fence[0] and len(mark) >= len(self._fence) and not line.strip().strip(mark[0]):
                self._fence = ""
            return False
        if not self._fence and line.lstrip().startswith("<!--"):
            self._in_comment = "-->" not in line
            return False
        return not self._fence


def _plain(title: str) -> str:
    return _LINK.sub(r"\1", _NAME.sub("", title)).replace("`", "").replace("**", "").strip()
