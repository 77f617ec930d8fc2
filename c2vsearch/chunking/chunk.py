"""Documents to chunks that fit the encoder, by its own tokenizer.

Structure comes first: a chunk stays within a section, and breaks between paragraphs, lists, tables and fences, then
between their sentences, items, rows and lines, and inside a sentence only when one alone is too long. Small sections
join the next one. Every chunk is one span of the document, so nothing is lost and nothing has to be put together again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from c2vsearch.chunking.blocks import LINE, Block, blocks
from c2vsearch.chunking.context import Contexts
from c2vsearch.chunking.lines import Places
from c2vsearch.chunking.packing import Packed, Packer
from c2vsearch.chunking.sections import Section, sections
from c2vsearch.chunking.sentences import sentences
from c2vsearch.chunking.tokens import MAX_CHARS_PER_TOKEN, Tokenizer, TokenMap
from c2vsearch.config import ChunkingConfig
from c2vsearch.records import Chunk, Document

# Whoever changes what is cut from the same document changes this: every file is then cut again.
RULES = "2"

Span = tuple[int, int]


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
    return list(iter_chunks(document, tokenizer=tokenizer, config=config))


def iter_chunks(document: Document, *, tokenizer: Tokenizer, config: ChunkingConfig) -> Iterator[Chunk]:
    """The same, one after the other: a huge document needs no more memory than its text."""
    return _Cutter(document, tokenizer, config).chunks()


class _Cutter:
    """One document being cut."""

    def __init__(self, document: Document, tokenizer: Tokenizer, config: ChunkingConfig) -> None:
        self._document, self._text = document, document.text
        self._tokenizer, self._config = tokenizer, config
        self._tokens = TokenMap(document.text, tokenizer)
        self._places = Places(document)
        self._contexts = Contexts(document.title, tokenizer, limit=config.context_tokens)

    def chunks(self) -> Iterator[Chunk]:
        room = self._config.max_tokens - self._config.context_tokens
        for section in sections(self._document, self._tokens, room=room):
            yield from self._of_section(section)

    def _of_section(self, section: Section) -> Iterator[Chunk]:
        packer = Packer(
            self._text, self._tokens, room=partial(self._room, section), overlap=self._config.overlap_tokens
        )
        before: Packed | None = None
        for packed in packer.pack(self._blocks(section)):
            start = self._overlap(before, packed.start) if before else packed.start
            yield from self._fitted(section, (start, packed.end), packed.first, fresh=packed.start)
            before = packed

    def _blocks(self, section: Section) -> Iterator[Block]:
        if self._document.kind == "code":
            return iter((Block(section.start, section.end, "code"),))
        return blocks(self._text, section.start, section.end)

    def _room(self, section: Section, block: Block) -> int:
        """Tokens left for text beside the longest context that a chunk may have which begins with a block."""
        return self._config.max_tokens - self._contexts.longest(section.path, self._header(block, block.start))

    def _header(self, block: Block, start: int) -> str:
        """The header of the table that a chunk goes on with, if the chunk does not have it itself."""
        first, last = block.header or (0, 0)
        return self._text[first : min(last, first + 1000)] if block.header and last <= start else ""

    def _overlap(self, before: Packed, start: int) -> int:
        """Where the chunk that would start here starts with the last sentences (lines, of code) of the one before."""
        allowed = self._config.overlap_tokens
        earliest = max(before.start, start - allowed * MAX_CHARS_PER_TOKEN)
        for first in self._beginnings(before, start):
            if first >= earliest and self._tokens.fits(first, start, allowed):
                return first
        return start

    def _beginnings(self, before: Packed, end: int) -> Iterator[int]:
        """Where sentences or lines begin in the last of a span."""
        # The window may begin inside a sentence: its first start counts only where the span begins.
        offset = max(before.start, end - self._config.overlap_tokens * MAX_CHARS_PER_TOKEN - 400)
        if before.last.shape in ("code", "line", "row", "table"):
            spans: Iterator[Span] = (line.span() for line in LINE.finditer(self._text, offset, end))
        else:
            spans = sentences(self._text, offset, end)
        return (first for first, _ in spans if first > offset or first == before.start)

    # Chunks.

    def _fitted(self, section: Section, span: Span, block: Block, *, fresh: int) -> Iterator[Chunk]:
        """The chunk of a span; without its overlap, then in halves, when the embedded text turns out too long."""
        start, end = self._trim(*span)
        if start >= end:
            return
        chunk = self._chunk(section, start, end, block)
        if chunk.tokens <= self._config.max_tokens or end - start <= 1:
            yield chunk
        elif start < fresh < end:
            yield from self._fitted(section, (fresh, end), block, fresh=fresh)
        else:
            middle = self._middle(start, end)
            yield from self._fitted(section, (start, middle), block, fresh=start)
            yield from self._fitted(section, (middle, end), block, fresh=middle)

    def _chunk(self, section: Section, start: int, end: int, block: Block) -> Chunk:
        document, text = self._document, self._text[start:end]
        context, more = self._contexts.of(section.path, text, self._header(block, start))
        embedded = f"{context}\n{text}" if context else text
        tokens = self._tokens.exact(start, end)
        identity = f"{document.source}\0{document.member}\0{start}\0{text}".encode("utf-8", "surrogateescape")
        return Chunk(
            id=hashlib.blake2b(identity, digest_size=8).hexdigest(),
            doc_id=document.id,
            source=document.source,
            start=start,
            end=end,
            text=text,
            start_line=self._places.line(start),
            end_line=self._places.line(end - 1),
            page=self._places.page(start),
            heading_path=section.path,
            title=document.title,
            context=context,
            tokens=len(self._tokenizer.token_spans(embedded)) if tokens is None else more + tokens,
            member=document.member,
            kind=document.kind,
            metadata=document.metadata,
            hash=hashlib.blake2b(embedded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
        )

    def _trim(self, start: int, end: int) -> Span:
        while start < end and self._text[start].isspace():
            start += 1
        while start < end and self._text[end - 1].isspace():
            end -= 1
        return start, end

    def _middle(self, start: int, end: int) -> int:
        tokens = self._tokens.count(start, end)
        middle = self._tokens.place(start, end, tokens // 2) if tokens >= 2 else (start + end) // 2
        return middle if start < middle < end else (start + end) // 2
