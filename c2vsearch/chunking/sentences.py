"""Where sentences end, by punctuation, in scripts with and without spaces. Small, fast, and wrong at times."""

from __future__ import annotations

import re

_ABBREVIATIONS = frozenset(
    "e.g i.e cf vs etc al mr mrs ms dr prof sr jr st no nos fig figs eq sec ch vol pp ed inc ltd co approx dept".split()
)
# A full stop needs a space behind it; the full-width marks do not. A blank line or a list item ends one as well.
_END = re.compile(
    r"(?P<stop>[.!?…]+[\"'”’)\]]*)(?=\s)"
    r"|[。！？｡]+[」』”’）]*"
    r"|\n(?=[ \t]*(?:\n|[-*+•][ \t]|\d+[.)][ \t]|\|))"
)
_LAST_WORD = re.compile(r"([^\s(\[\"']+)$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text, whitespace between them left out; every other character is in one.

    >>> text = "Ask Dr. Hall, e.g. by mail. She knows! 船は出ます。九時です。"
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Ask Dr. Hall, e.g. by mail.', 'She knows!', '船は出ます。', '九時です。']
    """
    ends = [match.end() for match in _END.finditer(text) if not _is_abbreviation(text, match)]
    spans = []
    start = 0
    for end in [*ends, len(text)]:
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(stripped)))
        start = end
    return spans


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if match.group("stop") != ".":
        return False
    last = _LAST_WORD.search(text, max(0, match.start() - 12), match.start())
    if last is None:
        return False
    word = last.group(1).lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and text[match.start() - 1].isupper())
