"""Documents to chunks that fit the encoder, by its own tokenizer.

Structure comes first: a chunk stays within a section, and breaks between paragraphs, then sentences (lines in
code and tables), and inside a sentence only when one alone is too long. Small sections join the next one.
Every chunk is one span of the document, so nothing is lost and nothing has to be put together again.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from c2vsearch.chunking.blocks import blocks, pieces
from c2vsearch.chunking.lines import Places
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.config import ChunkingConfig
from c2vsearch.records import Chunk, Document

# A section of fewer tokens joins the next one: always when it is hardly more than its heading, else if both fit.
SMALL_SECTION_TOKENS = 48
HEADING_TOKENS = 16
# A "word" may be a megabyte and one token: what is shown has to stay readable as well.
MAX_CHARS_PER_TOKEN = 16

Span = tuple[int, int]


class Tokenizer(Protocol):
    """Where the tokens of a text stand, special tokens left out."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans ``(start, end)`` of the tokens, in order."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document under one heading; ``path`` has the headings above it, outermost first."""

    start: int
    end: int
    path: tuple[str, ...]


def chunk_document(document: Document, *, tokenizer: Tokenizer, config: ChunkingConfig) -> list[Chunk]:
    """Cut one document.

    Each chunk has at most ``config.max_tokens`` tokens with its context, and the next chunk of a section starts
    with the last sentences of the one before, up to ``config.overlap_tokens``.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> document = Document(id="d", source="a.md", text="One two three. Four five six. Seven.", kind="text")
    >>> settings = ChunkingConfig(max_tokens=16, overlap_tokens=0, context_tokens=0)
    >>> [chunk.text for chunk in chunk_document(document, tokenizer=WordTokenizer(), config=settings)]
    ['One two three. Four five six. Seven.']
    """
    return list(_Cutter(document, tokenizer, config).chunks())


class _Cutter:
    """One document being cut: its token positions are computed once."""

    def __init__(self, document: Document, tokenizer: Tokenizer, config: ChunkingConfig) -> None:
        self._document = document
        self._text = document.text
        self._tokenizer = tokenizer
        self._config = config
        self._token_starts = [start for start, _ in tokenizer.token_spans(document.text)]
        self._places = Places(document)
        self._contexts: dict[tuple[str, ...], tuple[str, int]] = {}

    def chunks(self) -> Iterator[Chunk]:
        for section in self._sections():
            previous_end = None
            for span in self._section_spans(section):
                start = span[0] if previous_end is None else self._overlap(section, span[0])
                previous_end = span[1]
                yield from self._fitted(section, (start, span[1]), fresh=span[0])

    # Sections.

    def _sections(self) -> list[Section]:
        """The stretches between headings; small ones joined with the next as long as both fit one chunk."""
        found = list(self._raw_sections())
        joined: list[Section] = []
        budget = self._config.max_tokens - self._config.context_tokens
        for section in found:
            if joined:
                last = joined[-1]
                tokens, more = self._count(last.start, last.end), self._count(section.start, section.end)
                joinable = tokens < HEADING_TOKENS or (tokens < SMALL_SECTION_TOKENS and tokens + more <= budget)
                if joinable and self._related(last, section):
                    path = section.path if more > tokens else last.path
                    joined[-1] = Section(last.start, section.end, path)
                    continue
            joined.append(section)
        return joined

    def _raw_sections(self) -> Iterator[Section]:
        headings = sorted(self._document.headings, key=lambda heading: heading.start)
        first = headings[0].start if headings else len(self._text)
        if self._text[:first].strip():
            yield Section(0, first, ())
        open_headings: list[tuple[int, str]] = []
        for number, heading in enumerate(headings):
            open_headings = [item for item in open_headings if item[0] < heading.level]
            open_headings.append((heading.level, heading.title))
            end = headings[number + 1].start if number + 1 < len(headings) else len(self._text)
            start = 0 if number == 0 and not self._text[: heading.start].strip() else heading.start
            yield Section(start, end, tuple(title for _, title in open_headings))

    @staticmethod
    def _related(first: Section, second: Section) -> bool:
        """Siblings, or a heading and its first sub-heading."""
        return first.path[:-1] == second.path[:-1] or second.path[: len(first.path)] == first.path

    # Spans within a section.

    def _section_spans(self, section: Section) -> Iterator[Span]:
        """Greedy packing of the section's paragraphs; too long ones in their sentences, those in tokens."""
        budget = self._budget(section)
        following = max(budget - self._config.overlap_tokens, budget // 2)  # later chunks leave room for the overlap
        start, end, room = -1, -1, budget
        for unit in self._units(section, following):
            if start >= 0 and not self._fits(start, unit[1], room):
                yield start, end
                start, room = -1, following
            if start < 0:
                start = unit[0]
            end = unit[1]
        if start >= 0:
            yield start, end

    def _units(self, section: Section, budget: int) -> Iterator[Span]:
        verbatim = self._document.kind == "code"
        for block in blocks(self._text, section.start, section.end, verbatim=verbatim):
            if self._fits(block.start, block.end, budget):
                yield block.start, block.end
                continue
            for start, end in pieces(self._text, block):
                yield from self._windows(start, end, budget)

    def _windows(self, start: int, end: int, budget: int) -> Iterator[Span]:
        """A span cut into what fits, between words where that is possible."""
        while not self._fits(start, end, budget):
            limit = min(start + budget * MAX_CHARS_PER_TOKEN, end)
            index = bisect_left(self._token_starts, start) + budget
            if index < len(self._token_starts):
                limit = min(limit, max(self._token_starts[index], start + 1))
            space = max(self._text.rfind(" ", start, limit), self._text.rfind("\n", start, limit))
            cut = space if space > start + (limit - start) // 2 else limit
            yield start, cut
            start = cut
        yield start, end

    def _overlap(self, section: Section, start: int) -> int:
        """Where the chunk that would start here starts with the last sentences before it."""
        allowed = self._config.overlap_tokens
        if allowed == 0:
            return start
        index = max(bisect_left(self._token_starts, start) - allowed, 0)
        earliest = max(section.start, self._token_starts[index] if self._token_starts else 0)
        if start - earliest > allowed * MAX_CHARS_PER_TOKEN:
            return start
        window = self._text[max(section.start, earliest - 400) : start]
        offset = max(section.start, earliest - 400)
        starts = [offset + first for first, _ in sentence_spans(window)]
        # The window may begin inside a sentence: its first start counts only where the section begins.
        sound = [first for first in starts if first >= earliest and (first > offset or first == section.start)]
        return sound[0] if sound else start

    # Chunks.

    def _fitted(self, section: Section, span: Span, *, fresh: int) -> Iterator[Chunk]:
        """The chunk of a span; without its overlap, then in halves, when the embedded text turns out too long."""
        start, end = self._trim(*span)
        if start >= end:
            return
        chunk = self._chunk(section, start, end)
        if chunk.tokens <= self._config.max_tokens or end - start <= 1:
            yield chunk
        elif start < fresh < end:
            yield from self._fitted(section, (fresh, end), fresh=fresh)
        else:
            middle = self._middle(start, end)
            yield from self._fitted(section, (start, middle), fresh=start)
            yield from self._fitted(section, (middle, end), fresh=middle)

    def _chunk(self, section: Section, start: int, end: int) -> Chunk:
        text = self._text[start:end]
        context, _ = self._context(self._outline(section, text))
        embedded = f"{context}\n{text}" if context else text
        identity = f"{self._document.source}\0{self._document.member}\0{start}\0{text}".encode(
            "utf-8", "surrogateescape"
        )
        return Chunk(
            id=hashlib.blake2b(identity, digest_size=8).hexdigest(),
            doc_id=self._document.id,
            source=self._document.source,
            start=start,
            end=end,
            text=text,
            start_line=self._places.line(start),
            end_line=self._places.line(end - 1),
            page=self._places.page(start),
            heading_path=section.path,
            title=self._document.title,
            context=context,
            tokens=len(self._tokenizer.token_spans(embedded)),
            member=self._document.member,
            kind=self._document.kind,
            metadata=self._document.metadata,
            hash=hashlib.blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
        )

    def _outline(self, section: Section, text: str) -> tuple[str, ...]:
        """Title and heading path, without repeating the title or the heading the text itself starts with."""
        parts = list(section.path)
        if self._document.title and (not parts or parts[0] != self._document.title):
            parts.insert(0, self._document.title)
        first_line = text.split("\n", 1)[0]
        if parts and parts[-1] in first_line:
            parts.pop()
        return tuple(parts)

    def _context(self, parts: tuple[str, ...]) -> tuple[str, int]:
        """The outline as a line and its tokens: outermost parts go first when it is too long."""
        if parts not in self._contexts:
            limit, kept = self._config.context_tokens, list(parts)
            while len(kept) > 1 and len(self._tokenizer.token_spans(" > ".join(kept))) > limit:
                kept.pop(0)
            line = " > ".join(kept)
            spans = self._tokenizer.token_spans(line)
            if len(spans) > limit:
                line = line[: spans[limit - 1][1]] if limit else ""
                spans = spans[:limit]
            self._contexts[parts] = (line, len(spans))
        return self._contexts[parts]

    def _budget(self, section: Section) -> int:
        """Tokens left for text beside the longest context a chunk of this section may have."""
        _, tokens = self._context(self._outline(section, ""))
        return self._config.max_tokens - tokens

    def _trim(self, start: int, end: int) -> Span:
        piece = self._text[start:end]
        lead = len(piece) - len(piece.lstrip())
        return start + lead, start + max(lead, len(piece.rstrip()))

    def _middle(self, start: int, end: int) -> int:
        first, last = bisect_left(self._token_starts, start), bisect_left(self._token_starts, end)
        middle = self._token_starts[(first + last) // 2] if last - first >= 2 else (start + end) // 2
        return middle if start < middle < end else (start + end) // 2

    def _count(self, start: int, end: int) -> int:
        return bisect_left(self._token_starts, end) - bisect_left(self._token_starts, start)

    def _fits(self, start: int, end: int, budget: int) -> bool:
        return self._count(start, end) <= budget and end - start <= budget * MAX_CHARS_PER_TOKEN
