"""The tokens of a text word by word, each word tokenized once: texts say the same words again and again."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from c2vsearch.chunking.tokens import Tokenizer

# White space that no tokenizer takes for part of a word; others of Python's (form feeds) are dropped by some.
WORD_BREAKS = frozenset(" \n\t\r")
_WORD = re.compile(r"[^ \n\t\r]+")
_WORDS_KEPT = 65_536
_LONGEST_KEPT = 48
_ONE_TOKEN = (0,)

Starts = tuple[int, ...]


class Words:
    """Where the tokens of each word start, for a tokenizer that reads by words.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> Words(WordTokenizer()).token_starts("why? why not?").tolist()
    [0, 3, 5, 9, 12]
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Starts] = {}

    def token_starts(self, text: str) -> array[int]:
        """Where the tokens of a text start."""
        known = self._learned(set(_WORD.findall(text)))
        starts: array[int] = array("i")
        for word in _WORD.finditer(text):
            found = known[word.group()]
            if found is _ONE_TOKEN:
                starts.append(word.start())
            else:
                at = word.start()
                starts.extend([at + start for start in found])
        return starts

    def _learned(self, words: set[str]) -> dict[str, Starts]:
        """The words that are known, with these; long ones are not kept."""
        known = self._known
        if len(known) > _WORDS_KEPT:
            known = self._known = {}
        # Not `words - known.keys()`, which goes through all that are known.
        new = {word for word in words if word not in known}
        long = {word for word in new if len(word) > _LONGEST_KEPT}
        known.update(self._starts(new - long))
        return {**known, **self._starts(long)} if long else known

    def _starts(self, words: Iterable[str]) -> dict[str, Starts]:
        listed = list(words)
        spans = iter(self._tokenizer.token_spans("\n".join(listed)))
        found: dict[str, Starts] = {}
        begin, token = 0, next(spans, None)
        for word in listed:
            starts = []
            while token is not None and token[0] < begin + len(word):
                starts.append(token[0] - begin)
                token = next(spans, None)
            found[word] = _ONE_TOKEN if starts == [0] else tuple(starts)
            begin += len(word) + 1
        return found


_OF_TOKENIZERS: WeakKeyDictionary[Tokenizer, Words] = WeakKeyDictionary()


def words_of(tokenizer: Tokenizer) -> Words | None:
    """The words of a tokenizer, kept from one document to the next; None if it does not read by words."""
    if not getattr(tokenizer, "by_words", False):
        return None
    if (words := _OF_TOKENIZERS.get(tokenizer)) is None:
        words = _OF_TOKENIZERS[tokenizer] = Words(tokenizer)
    return words
