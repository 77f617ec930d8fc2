"""Markdown, verbatim, with its headings and the title of its front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def read_markdown(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A Markdown file."""
    text = decode(blob.data)
    headings = markdown_headings(text)
    title = front_matter_title(text) or next((heading.title for heading in headings if heading.level == 1), "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="markdown", title=title, headings=tuple(headings)
    )


def front_matter_title(text: str) -> str:
    """The ``title`` of YAML front matter, "" without one."""
    if not text.startswith("---"):
        return ""
    block, end, _ = text[3:].partition("\n---")
    match = _TITLE.search(block) if end else None
    return match.group(1).strip("\"'") if match else ""


def markdown_headings(text: str) -> list[Heading]:
    r"""ATX and setext headings outside of fenced code.

    >>> [(h.level, h.title) for h in markdown_headings("# One\n```\n# code\n```\nTwo\n---\n")]
    [(1, 'One'), (2, 'Two')]
    """
    headings: list[Heading] = []
    fence, previous, previous_start, offset = "", "", 0, 0
    in_front_matter = text.startswith("---") and "\n---" in text[3:]
    for number, line in enumerate(text.splitlines(keepends=True)):
        bare = line.rstrip("\r\n")
        if in_front_matter:
            in_front_matter = number == 0 or not bare.startswith("---")
            bare = ""
        elif match := _FENCE.match(bare):
            mark = match.group(1)
            if not fence:
                fence = mark
            elif mark[0] == fence[0] and len(mark) >= len(fence) and not bare.strip().strip(mark[0]):
                fence = ""
            bare = ""
        elif fence:
            bare = ""
        elif match := _ATX.match(bare):
            headings.append(Heading(offset, len(match.group(1)), _plain(match.group(2))))
            bare = ""
        elif previous.strip() and (match := _SETEXT.match(bare)):
            level = 1 if match.group(1)[0] == "=" else 2
            headings.append(Heading(previous_start, level, _plain(previous.strip())))
            bare = ""
        previous, previous_start = (
            ("", offset) if bare.lstrip().startswith(("-", "*", "+", ">", "|")) else (bare, offset)
        )
        offset += len(line)
    return [heading for heading in headings if heading.title]


def _plain(title: str) -> str:
    return _LINK.sub(r"\1", title).replace("`", "").replace("**", "").strip()
