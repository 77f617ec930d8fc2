"""What an answer says, sentence by sentence, and which sources it names for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from c2vsearch.chunking.sentences import sentence_spans

_MARKER = re.compile(r"\s*\[(\d+(?:,[ ]?\d+)*)\]")
# "Paid on Friday. [2]" and "Paid on Friday.[2]" name the source of what stands before.
_AFTER_STOP = re.compile(r"([.!?。！？])[ \t]*((?:\[\d+(?:,[ ]?\d+)*\][ \t]*)+)")
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer without its ``[n]``, and the numbers that stood in them."""

    text: str
    cited: tuple[int, ...]


def claims(answer: str) -> list[Claim]:
    """The sentences of an answer, in order.

    >>> claims("Claims are paid on Friday.[2] Send them within 60 days [1, 3].")
    [Claim(text='Claims are paid on Friday.', cited=(2,)), Claim(text='Send them within 60 days.', cited=(1, 3))]
    >>> claims("[1]")
    []
    """
    plain = _AFTER_STOP.sub(lambda match: f" {match[2].strip()}{match[1]} ", _LIST_MARK.sub("\n", answer))
    found = (_claim(plain[start:end]) for start, end in sentence_spans(plain))
    return [claim for claim in found if re.search(r"\w", claim.text)]


def _claim(sentence: str) -> Claim:
    cited = tuple(int(number) for marker in _MARKER.findall(sentence) for number in marker.split(","))
    return Claim(" ".join(_MARKER.sub("", sentence).split()), cited)
