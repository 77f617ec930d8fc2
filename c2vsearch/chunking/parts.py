"""What a block that is too long is cut into: sentences, items, rows, groups of lines of code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.chunking.blocks import LINE, VISIBLE, Block, mark_of
from c2vsearch.chunking.sentences import sentences

_RULE = re.compile(r"[\s|+:=-]*")
# Lines that begin so are records, such as those of a log: each says something by itself.
_RECORD = re.compile(r"[ \t]*[\d\[<{]")
# What ends a group that was opened above it, and stays with it.
_CLOSER = re.compile(r"[ \t]*(?:[)\]}]|```|~~~|end\b|else\b|elif\b|except\b|finally\b|catch\b|fi\b|done\b|esac\b)")
_RECORDS_SEEN = 8
# Deeper than this, nested lists and code are cut between lines.
MAX_DEPTH = 12

Span = tuple[int, int]


def parts(text: str, block: Block, depth: int = 0) -> Iterator[Block]:
    """The next smaller parts of a block, in order; it is its own only part when there are none."""
    if depth > MAX_DEPTH and block.shape in ("list", "item", "code"):
        return _lines(text, block)
    if block.shape == "list":
        return _items(text, block)
    if block.shape == "item":
        return _nested(text, block)
    if block.shape == "table":
        return _rows(text, block)
    if block.shape == "code":
        return _groups(text, block)
    if block.shape == "prose" and _of_records(text, block):
        return _lines(text, block)
    if block.shape in ("prose", "row"):
        return (Block(*span, "sentence", block.header) for span in sentences(text, block.start, block.end))
    return _lines(text, block) if block.shape == "sentence" else iter((block,))


def _visible_lines(text: str, start: int, end: int) -> Iterator[Span]:
    return (line.span() for line in LINE.finditer(text, start, end) if VISIBLE.search(text, *line.span()))


def _lines(text: str, block: Block) -> Iterator[Block]:
    return (Block(*span, "line", block.header) for span in _visible_lines(text, block.start, block.end))


def _of_records(text: str, block: Block) -> bool:
    seen = []
    for first, last in _visible_lines(text, block.start, block.end):
        seen.append(_RECORD.match(text, first, last) is not None)
        if len(seen) == _RECORDS_SEEN:
            break
    return len(seen) >= 4 and sum(seen) * 4 >= len(seen) * 3


def _items(text: str, block: Block) -> Iterator[Block]:
    """The line that leads into the list, then its items, each with what is nested in it."""
    begin, outermost, shape = block.start, -1, "prose"
    for first, last in _visible_lines(text, block.start, block.end):
        mark = mark_of(text, first, last)
        if mark.lastgroup != "item":
            continue
        indent = mark.start("item") - first
        if outermost < 0 or indent <= outermost:
            if first > begin:
                yield Block(begin, first, "prose" if shape == "prose" else "item")
            begin, outermost, shape = first, indent, "item"
    yield Block(begin, block.end, "prose" if shape == "prose" else "item")


def _nested(text: str, block: Block) -> Iterator[Block]:
    """The item itself, then the list in it."""
    for first, last in _visible_lines(text, block.start, block.end):
        if first > block.start and mark_of(text, first, last).lastgroup == "item":
            yield Block(block.start, first, "prose")
            yield Block(first, block.end, "list")
            return
    yield Block(block.start, block.end, "prose")


def _rows(text: str, block: Block) -> Iterator[Block]:
    """The rows. The header and the rules stay with the row below them: by themselves they say nothing."""
    header = _header(text, block)
    begin = -1
    for first, last in _visible_lines(text, block.start, block.end):
        begin = first if begin < 0 else begin
        if (header is None or first >= header[1]) and not _RULE.fullmatch(text, first, last):
            yield Block(begin, last, "row", header)
            begin = -1
    if begin >= 0:
        yield Block(begin, block.end, "row", header)


def _header(text: str, block: Block) -> Span | None:
    """The row above the first rule; without a rule the first row, unless its cells are set off by bars at its ends."""
    previous: Span | None = None
    for number, (first, last) in enumerate(_visible_lines(text, block.start, block.end)):
        if number == 3:
            break
        if not _RULE.fullmatch(text, first, last):
            previous = previous or (first, last)
        elif previous is not None and text.find("|", *previous) >= 0:
            return previous
    return previous if previous is not None and mark_of(text, *previous).lastgroup != "row" else None


def _groups(text: str, block: Block) -> Iterator[Block]:
    """Code by its indentation: before its outermost lines, those after an empty line if there are any.

    With one outermost line, that line and what is below it.
    """
    indents = [indent for _, indent, _ in _outline(text, block)]
    outermost = min(indents, default=0)
    inner = [(first, spaced) for first, indent, spaced in _outline(text, block) if indent == outermost][1:]
    if not inner:
        yield from _first_line_and_rest(text, block)
        return
    only_spaced = any(spaced for _, spaced in inner)
    begin = block.start
    for first, spaced in inner:
        if spaced or not only_spaced:
            yield Block(begin, first, "code")
            begin = first
    yield Block(begin, block.end, "code")


def _outline(text: str, block: Block) -> Iterator[tuple[int, int, bool]]:
    """The lines that may begin a group: start, indentation, and whether an empty line is above."""
    spaced = False
    for line in LINE.finditer(text, block.start, block.end):
        visible = VISIBLE.search(text, *line.span())
        if visible and (line.start() == block.start or not _CLOSER.match(text, *line.span())):
            yield line.start(), visible.start() - line.start(), spaced
        spaced = visible is None


def _first_line_and_rest(text: str, block: Block) -> Iterator[Block]:
    lines = _visible_lines(text, block.start, block.end)
    first = next(lines, (block.start, block.end))
    rest = next(lines, None)
    if rest is None:
        yield Block(*first, "line")
    else:
        yield Block(block.start, rest[0], "line")
        yield Block(rest[0], block.end, "code")
