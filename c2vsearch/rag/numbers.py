"""The numbers in a text, in digits or in English words, so that a changed one is told."""

from __future__ import annotations

import re

_UNITS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"  # no "one": it is a pronoun more often than a number
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(_UNITS, start=2)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_NUMBER = re.compile(
    r"(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)"
    rf"|\b(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<more>{'|'.join(_UNITS[:8])}))?|(?P<units>{'|'.join(_UNITS)}))\b",
    re.IGNORECASE,
)


def numbers(text: str) -> frozenset[float]:
    """The values of the numbers in a text; those of a time or a date one by one.

    >>> sorted(numbers("Up to £2,500.50 within sixty-five days, from 09:30; twelve of them, and no one else."))
    [9.0, 12.0, 30.0, 65.0, 2500.5]
    """
    return frozenset(_value(match) for match in _NUMBER.finditer(text))


def _value(match: re.Match[str]) -> float:
    if digits := match["digits"]:
        return float(digits.replace(",", ""))
    words = (match["tens"], match["more"], match["units"])
    return float(sum(_VALUES[word.lower()] for word in words if word))
