"""What is embedded above a chunk: its title and heading path, and the header of the table it goes on with."""

from __future__ import annotations

from c2vsearch.chunking.tokens import Tokenizer

Parts = tuple[str, ...]
_REMEMBERED = 4096


class Contexts:
    r"""Contexts of at most ``limit`` tokens; the outermost headings go first when there is no room.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> contexts = Contexts("Handbook", WordTokenizer(), limit=12)
    >>> contexts.of(("Travel",), "10 days", "Port   | Fee\n")
    ('Handbook > Travel\nPort | Fee', 6)
    """

    def __init__(self, title: str, tokenizer: Tokenizer, *, limit: int) -> None:
        self._title, self._tokenizer, self._limit = title, tokenizer, limit
        self._known: dict[tuple[Parts, str], tuple[str, int]] = {}

    def of(self, path: Parts, text: str, header: str = "") -> tuple[str, int]:
        """The context of a chunk and its tokens."""
        return self._made(self._outline(path, text), header)

    def longest(self, path: Parts, header: str = "") -> int:
        """The tokens of the longest context that a chunk may have there."""
        return max(self.of(path, "", header)[1], self.of(path, path[-1], header)[1] if path else 0)

    def _outline(self, path: Parts, text: str) -> Parts:
        """Title and heading path, without repeating the title or the heading the text itself starts with."""
        parts = list(path)
        if self._title and (not parts or parts[0] != self._title):
            parts.insert(0, self._title)
        first_line = text.split("\n", 1)[0]
        if parts and parts[-1] in first_line:
            parts.pop()
        return tuple(parts)

    def _made(self, parts: Parts, header: str) -> tuple[str, int]:
        known = self._known.get((parts, header))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[parts, header] = self._make(parts, header)
        return known

    def _make(self, parts: Parts, header: str) -> tuple[str, int]:
        """A header may take the half of it, and what the outline leaves."""
        row = " ".join(header.split())
        wanted = min(self._count(row), self._limit // 2)
        outline = self._cut_outline(parts, self._limit - wanted)
        row = self._cut(row, self._limit - self._count(outline))
        line = "\n".join(filter(None, (outline, row)))
        return line, self._count(line)

    def _cut_outline(self, parts: Parts, limit: int) -> str:
        kept = list(parts)
        while len(kept) > 1 and self._count(" > ".join(kept)) > limit:
            kept.pop(0)
        return self._cut(" > ".join(kept), limit)

    def _cut(self, line: str, limit: int) -> str:
        spans = self._tokenizer.token_spans(line)
        if len(spans) <= limit:
            return line
        return line[: spans[limit - 1][1]] if limit > 0 else ""

    def _count(self, line: str) -> int:
        return len(self._tokenizer.token_spans(line)) if line else 0
