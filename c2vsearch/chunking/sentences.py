"""Where sentences end, by punctuation, in scripts with and without spaces. Small, fast, and wrong at times."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ABBREVIATIONS = frozenset(
    "e.g i.e cf vs etc al mr mrs ms dr prof sr jr st no nos fig figs eq sec ch vol pp ed inc ltd co approx dept".split()
)
# A full stop needs a space behind it; the full-width marks do not. A blank line or a list item ends one as well.
_END = re.compile(
    r"(?P<stop>(?<![.!?…])[.!?…]++[\"'”’)\]]*+)(?=\s)"  # tried once for a run of marks, however long that is
    r"|[。！？｡]+[」』”’）]*"
    r"|\n(?=[ \t]*(?:\n|[-*+•][ \t]|\d+[.)][ \t]|\|))"
)
_VISIBLE = re.compile(r"\S")
_LAST_WORD = re.compile(r"([^\s(\[\"']+)$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text, whitespace between them left out; every other character is in one.

    >>> text = "Ask Dr. Hall, e.g. by mail. She knows! 船は出ます。九時です。"
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Ask Dr. Hall, e.g. by mail.', 'She knows!', '船は出ます。', '九時です。']
    """
    return list(sentences(text, 0, len(text)))


def sentences(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The same for a stretch of a text, one after the other."""
    start = begin
    for match in _END.finditer(text, begin, end):
        if not _is_abbreviation(text, match):
            yield from _trimmed(text, start, match.end())
            start = match.end()
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without the white space around it, if anything is left."""
    if visible := _VISIBLE.search(text, start, end):
        while text[end - 1].isspace():
            end -= 1
        yield visible.start(), end


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if match.group("stop") != ".":
        return False
    last = _LAST_WORD.search(text, max(0, match.start() - 12), match.start())
    if last is None:
        return False
    word = last.group(1).lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and text[match.start() - 1].isupper())
