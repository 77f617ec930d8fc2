"""How many tokens a stretch of a text has, without the tokens of the whole text in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Protocol

from c2vsearch.chunking.words import WORD_BREAKS, words_of

# A "word" may be a megabyte and one token: what is shown has to stay readable as well.
MAX_CHARS_PER_TOKEN = 16
PIECE_CHARS = 131_072
PIECES_KEPT = 4


class Tokenizer(Protocol):
    """Where the tokens of a text stand, special tokens left out.

    One whose ``by_words`` is true says that a text cut between words has the tokens of its parts: its chunks are
    counted once instead of twice, and each word is tokenized once.
    """

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans ``(start, end)`` of the tokens, in order."""


class TokenMap:
    """The places of the tokens of one text, found in pieces as they are asked for.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> tokens = TokenMap("one two, three", WordTokenizer())
    >>> tokens.count(0, 14), tokens.count(4, 8), tokens.place(4, 14, 2)
    (4, 2, 9)
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text, self._tokenizer = text, tokenizer
        self._words = words_of(tokenizer)
        self._borders = array("q", [0])
        self._kept: dict[int, array[int]] = {}

    def count(self, start: int, end: int) -> int:
        """Tokens that start in a span."""
        total = 0
        while start < end:
            begin, stop, starts = self._piece(start)
            last = min(end, stop)
            total += bisect_left(starts, last - begin) - bisect_left(starts, start - begin)
            start = last
        return total

    def place(self, start: int, end: int, number: int) -> int:
        """Where the token stands that is number ``number``, from 0, of those in a span; its end if there is none."""
        while start < end:
            begin, stop, starts = self._piece(start)
            first = bisect_left(starts, start - begin)
            if first + number < len(starts):
                return min(end, begin + starts[first + number])
            number -= len(starts) - first
            start = stop
        return end

    def fits(self, start: int, end: int, room: int) -> bool:
        """Whether a span has no more tokens than that, and few enough characters to be read."""
        return end - start <= room * MAX_CHARS_PER_TOKEN and self.count(start, end) <= room

    def exact(self, start: int, end: int) -> int | None:
        """The tokens of a span as a text of its own; None where only the tokenizer can tell."""
        return self.count(start, end) if self._words and self._whole_words(start, end) else None

    def _whole_words(self, start: int, end: int) -> bool:
        before, after = self._text[max(0, start - 1) : start], self._text[end : end + 1]
        return (not before or before in WORD_BREAKS) and (not after or after in WORD_BREAKS)

    def _piece(self, offset: int) -> tuple[int, int, array[int]]:
        """The piece an offset lies in: its span, and the starts of its tokens from its own start."""
        while self._borders[-1] <= offset and self._borders[-1] < len(self._text):
            self._borders.append(self._border(self._borders[-1]))
        number = bisect_right(self._borders, offset) - 1
        begin, stop = self._borders[number], self._borders[number + 1]
        starts = self._kept.get(number)
        if starts is None:
            starts = self._kept[number] = self._starts(self._text[begin:stop])
            while len(self._kept) > PIECES_KEPT:
                del self._kept[next(iter(self._kept))]
        return begin, stop, starts

    def _starts(self, piece: str) -> array[int]:
        if self._words:
            return self._words.token_starts(piece)
        return array("i", [start for start, _ in self._tokenizer.token_spans(piece)])

    def _border(self, begin: int) -> int:
        """Where the piece ends: before a line, else before a word, so that its tokens are those of the whole text."""
        end = begin + PIECE_CHARS
        if end >= len(self._text):
            return len(self._text)
        for mark in ("\n", " "):
            found = self._text.rfind(mark, begin + PIECE_CHARS // 2, end)
            while found > begin and self._text[found + 1].isspace():
                found = self._text.rfind(mark, begin + PIECE_CHARS // 2, found)
            if found > begin:
                return found + 1
        return end
