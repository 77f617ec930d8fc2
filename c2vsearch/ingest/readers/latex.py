"""LaTeX: the text between its commands, by sections; mathematics stays as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.optional import hushed, require
from c2vsearch.records import Document

_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_HEADING = re.compile(
    r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?[ \t]*(?:\[[^\[\]]{0,300}\][ \t]*)?\{"
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_LABEL = re.compile(r"\\label\{[^{}\n]{0,200}\}")
_BEGIN, _END = r"\begin{document}", r"\end{document}"
_SAID = re.compile(r"\\(title|author|date|keywords)[ \t]*(?:\[[^\[\]]{0,300}\])?[ \t]*\{")
_LONGEST_TITLE = 2000
_APART = re.compile(r"\\and\b|\\thanks\{[^{}]*\}|\\\\")


def read_latex(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A LaTeX file; what it includes is read where it lies.

    Raises:
        MissingDependency: pylatexenc is not installed.
        UnreadableDocument: "no-text".
    """
    converter = _Converter(require("pylatexenc.latex2text", extra="markup", purpose="reading LaTeX"))
    source = _LABEL.sub("", _COMMENT.sub(r"\1", decode(blob.data).replace("\r\n", "\n")))
    begin = source.find(_BEGIN)
    start = begin + len(_BEGIN) if begin >= 0 else 0
    end = source.find(_END, start)
    parts = Parts()
    for level, line, text in _pieces(source, start, end if end >= 0 else len(source)):
        plain = converter.plain(text)
        parts.add(" ".join(plain.split()) if level else plain, level=level, line=line)
    said = properties(_said(source, converter))
    yield parts.document(blob, kind="latex", title=str(said.pop("title", "")), metadata=said)


class _Converter:
    """Commands to text."""

    def __init__(self, latex2text: Any) -> None:
        self._convert = latex2text.LatexNodes2Text(math_mode="verbatim", keep_comments=False)

    def plain(self, latex: str) -> str:
        """What is written; the source itself where it cannot be told."""
        with hushed("pylatexenc"):
            try:
                text = str(self._convert.latex_to_text(latex, tolerant_parsing=True))
            except Exception:  # of the parser: what it cannot take is readable as it is
                text = latex
        return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def _pieces(source: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Headings and paragraphs with the line they start in."""
    line, counted = 1, 0

    def line_of(offset: int) -> int:
        nonlocal line, counted
        line += source.count("\n", counted, offset)
        counted = offset
        return line

    place = start
    for match in _HEADING.finditer(source, start, end):
        if match.start() < place:
            continue
        close = _closing(source, match.end(), min(end, match.end() + _LONGEST_TITLE))
        if close < 0:
            continue
        for offset, text in _paragraphs(source, place, match.start()):
            yield 0, line_of(offset), text
        yield _LEVELS[match.group(1)], line_of(match.start()), source[match.end() : close]
        place = close + 1
    for offset, text in _paragraphs(source, place, end):
        yield 0, line_of(offset), text


def _paragraphs(source: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    for match in re.compile(r"\S(?:.|\n(?![ \t]*\n))*").finditer(source, start, end):
        yield match.start(), match.group()


def _closing(source: str, start: int, end: int) -> int:
    """Where the brace that is open at ``start`` closes; -1 where it does not."""
    depth = 1
    for match in re.compile(r"\\.|[{}]").finditer(source, start, end):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return -1


def _said(source: str, converter: _Converter) -> Iterator[tuple[str, object]]:
    for match in _SAID.finditer(source):
        close = _closing(source, match.end(), match.end() + _LONGEST_TITLE)
        value = source[match.end() : close] if close >= 0 else ""
        names = [converter.plain(name) for name in _APART.split(value)]
        told = [" ".join(name.split()) for name in names if name.strip()]
        if told:
            yield match.group(1), told if match.group(1) == "author" else " ".join(told)
