"""The sentence of a text that answers a query best, by the words they share. Pure and quick."""

from __future__ import annotations

import re
from collections.abc import Sequence

from c2vsearch.chunking.sentences import sentence_spans

_TERM = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_ENDING = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s|ly|e)$")
SHORTEST = 3


def best_sentence(text: str, query: str, *, others: Sequence[str] = ()) -> tuple[int, int] | None:
    """Span of the sentence sharing most with the query; None when none shares anything.

    Args:
        text: The text of a hit.
        query: What was asked.
        others: The texts of the other hits: a word in many of them counts little.

    >>> text = "Claims are paid on Friday. Send them within 60 days."
    >>> start, end = best_sentence(text, "how many days do I have to send claims")
    >>> text[start:end]
    'Send them within 60 days.'
    """
    wanted = _stems(query)
    if not wanted:
        return None
    pool = [_stems(other) for other in others]
    weights = {stem: 1.0 / (1 + sum(stem in other for other in pool)) for stem in wanted}
    best, best_score = None, 0.0
    for start, end in sentence_spans(text):
        shared = wanted & _stems(text[start:end])
        score = sum(weights[stem] * min(len(stem), 6) for stem in shared)
        if score > best_score:
            best, best_score = (start, end), score
    return best


def _stems(text: str) -> set[str]:
    """Words without their commonest endings, so that "dog" meets "dogs"; short ones only when nothing else is there."""
    words = {match.group().casefold() for match in _TERM.finditer(text)}
    long = {word for word in words if len(word) >= SHORTEST or not word.isascii() or word.isdigit()}
    return {_ENDING.sub("", word) for word in long or words}
