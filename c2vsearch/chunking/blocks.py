"""The paragraphs of a stretch of text: runs of lines between blank ones, fenced code whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from c2vsearch.chunking.sentences import sentence_spans

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ROWS = re.compile(r"[ \t]*[|+]")


@dataclass(frozen=True, slots=True)
class Block:
    """A span of the document. ``verbatim`` text (code, tables) is cut between lines, prose between sentences."""

    start: int
    end: int
    verbatim: bool


def blocks(text: str, start: int, end: int, *, verbatim: bool) -> list[Block]:
    r"""The blocks between two offsets.

    >>> text = "One.\n\n```\na\n\nb\n```\nTwo."
    >>> [text[b.start:b.end] for b in blocks(text, 0, len(text), verbatim=False)]
    ['One.\n', '```\na\n\nb\n```\n', 'Two.']
    """
    found: list[Block] = []
    begin, fence = start, ""

    def close(at: int, *, code: bool) -> None:
        nonlocal begin
        if text[begin:at].strip():
            found.append(Block(begin, at, code or verbatim or bool(_ROWS.match(text, begin, at))))
        begin = at

    for match in _LINE.finditer(text, start, end):
        mark = _FENCE.match(text, match.start(), match.end())
        if fence:
            if mark and mark.group(1).startswith(fence):
                close(match.end(), code=True)
                fence = ""
        elif mark and not verbatim:
            close(match.start(), code=False)
            fence = mark.group(1)
        elif not match.group().strip():
            close(match.start(), code=False)
            begin = match.end()
    close(end, code=bool(fence))
    return found


def pieces(text: str, block: Block) -> list[tuple[int, int]]:
    """The sentences of prose, or the lines of verbatim text, as spans."""
    if block.verbatim:
        matches = _LINE.finditer(text, block.start, block.end)
        return [match.span() for match in matches if match.group().strip()]
    spans = sentence_spans(text[block.start : block.end])
    return [(block.start + start, block.start + end) for start, end in spans]
