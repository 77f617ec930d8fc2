"""Texts to cut, drawn by hypothesis, and what every cut promises."""

from __future__ import annotations

import functools

from hypothesis import strategies as st

from c2vsearch.chunking import Tokenizer, chunk_document, iter_chunks
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.ingest.readers.markdown import markdown_headings
from c2vsearch.model.checkpoint import find_model
from c2vsearch.model.spec import read_spec
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.records import Chunk, Document, Heading


class CharacterTokenizer:
    """The hungriest tokenizer there is: every character that is not a space is a token."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [(at, at + 1) for at, character in enumerate(text) if not character.isspace()]


class LazyTokenizer:
    """Sees only letters, and a run of them of any length as one token, as WordPiece does with unknown words."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        import re

        return [match.span() for match in re.finditer("[a-z]+", text)]


class GreedyTokenizer:
    """Not additive: a token is up to four characters with the spaces in them, counted from the start of the text."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [(at, min(at + 4, len(text))) for at in range(0, len(text), 4)]


@functools.cache
def bundled_tokenizer() -> Tokenizer:
    """That of the model that comes with the package."""
    folder = find_model("c2v-mini")
    return TextTokenizer.open(folder, read_spec(folder))


WORD = HashEncoder().tokenizer
PARTS = st.sampled_from(
    [
        "# Top\n", "## Part with a name\n", "\n", "\n\n", "\r\n", "\r", "word ", "a sentence ends here. ", "Does it? ",
        "- item\n", "  - nested item\n", "  which goes on\n", "    more of it\n", "1. one\n", "23) two\n",
        "```\n", "~~~python\n", "code = 1\n", "    return code\n", "def f():\n", "}\n",
        "| a | b |\n", "|---|---|\n", "a | b\n", "+---+\n", "a longer cell | and another one | 3\n",
        "日本語の文です。", "x" * 90, "no" * 400, "é\u0301 ", "\t", "  ", "🎉", "===\n", "e.g. this ", "...", "\u2028",
        "\x0c", "\x85", "\u200b", "[SEP]", "2024-01-01 12:00 started\n", "[SEP] ", "\x1c",
    ]
)  # fmt: skip
TEXTS = st.lists(PARTS, max_size=60).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document with random headings and pages, or with those of its Markdown."""
    text = draw(TEXTS)
    offsets = st.integers(0, max(0, len(text) - 1))
    if draw(st.booleans()):
        headings = tuple(markdown_headings(text))
    else:
        places = sorted(draw(st.sets(offsets, max_size=6)))
        titles = st.sampled_from(["Top", "A part of it", "x" * 200, "Title"])
        headings = tuple(Heading(at, draw(st.integers(1, 4)), draw(titles)) for at in places)
    pages = tuple(sorted(draw(st.lists(offsets, max_size=4)))) if draw(st.booleans()) else ()
    kind = draw(st.sampled_from(["markdown", "code", "pptx", "pdf", "text"]))
    title = draw(st.sampled_from(["", "Title", "A title of many words " * 8]))
    return Document(id="d", source="a.md", text=text, kind=kind, title=title, headings=headings, pages=pages)


SIZES = st.sampled_from(
    [
        ChunkingConfig(max_tokens=24, overlap_tokens=6, context_tokens=8),
        ChunkingConfig(max_tokens=24, overlap_tokens=0, context_tokens=8),
        ChunkingConfig(max_tokens=16, overlap_tokens=7, context_tokens=0),
        ChunkingConfig(max_tokens=64, overlap_tokens=16, context_tokens=20),
    ]
)


def cut(text: str, tokenizer: Tokenizer = WORD, **settings: int) -> tuple[Document, list[Chunk]]:
    """A Markdown text in chunks of 24 tokens, unless it is said otherwise."""
    document = Document(
        id="d", source="a.md", text=text, kind="markdown", title="Title", headings=tuple(markdown_headings(text))
    )
    config = ChunkingConfig(**{"max_tokens": 24, "overlap_tokens": 6, "context_tokens": 8, **settings})
    return document, chunk_document(document, tokenizer=tokenizer, config=config)


def expect_promises(document: Document, tokenizer: Tokenizer, config: ChunkingConfig) -> list[Chunk]:
    """What every cut promises, by value."""
    chunks = chunk_document(document, tokenizer=tokenizer, config=config)
    text, lines = document.text, lines_of(document.text)
    starts = [start for start, _ in tokenizer.token_spans(text)]
    reached = 0  # every visible character before it is in a chunk
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        tokens = len(tokenizer.token_spans(chunk.embedded_text))
        assert chunk.tokens == tokens
        assert tokens <= config.max_tokens or len(chunk.text) == 1
        assert not text[reached : chunk.start].strip(), "a gap"
        assert chunk.end > reached
        if chunk.start < reached:
            assert sum(chunk.start <= start < reached for start in starts) <= config.overlap_tokens
        reached = chunk.end
        assert (chunk.start_line, chunk.end_line) == (lines[chunk.start], lines[chunk.end - 1])
        assert chunk.page == page_of(document, chunk.start)
    assert not text[reached:].strip(), "a gap at the end"
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert list(iter_chunks(document, tokenizer=tokenizer, config=config)) == chunks
    return chunks


def lines_of(text: str) -> list[int]:
    """The line of each character, counted one by one."""
    lines, line = [], 1
    for at, character in enumerate(text):
        lines.append(line)
        line += character == "\n" or (character == "\r" and text[at + 1 : at + 2] != "\n")
    return lines


def page_of(document: Document, offset: int) -> int | None:
    """The page of a character, counted one by one."""
    return max(1, sum(start <= offset for start in document.pages)) if document.pages else None
