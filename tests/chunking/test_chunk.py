"""What chunks promise, as properties: spans exact, nothing lost, no limit exceeded, the same twice, lines right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.chunking import chunk_document, sentence_spans
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.ingest.readers.markdown import markdown_headings
from c2vsearch.records import Chunk, Document


class CharacterTokenizer:
    """The hungriest tokenizer there is: every character that is not a space is a token."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [(at, at + 1) for at, character in enumerate(text) if not character.isspace()]


class LazyTokenizer:
    """Sees only letters, and a run of them of any length as one token, as WordPiece does with unknown words."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        import re

        return [match.span() for match in re.finditer("[a-z]+", text)]


TOKENIZERS = [HashEncoder().tokenizer, CharacterTokenizer(), LazyTokenizer()]
PARTS = st.sampled_from(
    [
        "# Top\n",
        "## Part with a name\n",
        "\n",
        "\n\n",
        "\r\n",
        "word ",
        "a sentence ends here. ",
        "Does it? ",
        "- item\n",
        "```\n",
        "code = 1\n",
        "| a | b |\n",
        "日本語の文です。",
        "x" * 90,
        "é\u0301 ",
        "\t",
        "  ",
        "🎉",
        "1. one\n",
        "===\n",
        "e.g. this ",
        "\u2028",
    ]
)
TEXTS = st.lists(PARTS, max_size=60).map("".join) | st.text(max_size=300)


def cut(text: str, tokenizer: object, **settings_: int) -> tuple[Document, list[Chunk]]:
    document = Document(
        id="d", source="a.md", text=text, kind="markdown", title="Title", headings=tuple(markdown_headings(text))
    )
    config = ChunkingConfig(**{"max_tokens": 24, "overlap_tokens": 6, "context_tokens": 8, **settings_})
    return document, chunk_document(document, tokenizer=tokenizer, config=config)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(TOKENIZERS), st.sampled_from([0, 6]))
def test_promises(text: str, tokenizer: object, overlap: int) -> None:
    document, chunks = cut(text, tokenizer, overlap_tokens=overlap)
    covered: set[int] = set()
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        tokens = len(tokenizer.token_spans(chunk.embedded_text))  # type: ignore[attr-defined]
        assert chunk.tokens == tokens
        assert tokens <= 24 or len(chunk.text) == 1
        covered.update(range(chunk.start, chunk.end))
    assert not [at for at, character in enumerate(text) if not character.isspace() and at not in covered]
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert chunks == cut(text, tokenizer, overlap_tokens=overlap)[1]
    if overlap == 0:
        assert all(first.end <= second.start for first, second in zip(chunks, chunks[1:], strict=False))


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_lines_are_those_of_an_editor(text: str) -> None:
    _, chunks = cut(text, HashEncoder().tokenizer)
    normal = text.replace("\r\n", "\0\n").replace("\r", "\n")  # same offsets, one kind of newline
    for chunk in chunks:
        assert chunk.start_line == normal[: chunk.start].count("\n") + 1
        assert chunk.end_line == normal[: chunk.end].count("\n") + 1


def test_sections_are_not_mixed_and_carry_their_path() -> None:
    body = " ".join(f"word{n}" for n in range(20)) + ".\n\n"
    text = f"# Guide\n\n{body}## First\n\n{body}### Deep\n\n{body}## Second\n\n{body}"
    _, chunks = cut(text, HashEncoder().tokenizer, max_tokens=40)
    assert [chunk.heading_path for chunk in chunks] == [
        ("Guide",),
        ("Guide", "First"),
        ("Guide", "First", "Deep"),
        ("Guide", "Second"),
    ]
    assert [chunk.context for chunk in chunks] == ["Title", "Title > Guide", "Title > Guide > First", "Title > Guide"]


def test_a_heading_alone_joins_what_follows() -> None:
    text = "# Guide\n\n## First\n\n" + "some words here. " * 30
    _, chunks = cut(text, HashEncoder().tokenizer, max_tokens=40)
    assert chunks[0].text.startswith("# Guide\n\n## First\n\nsome words")


def test_overlap_repeats_whole_sentences() -> None:
    text = " ".join(f"Sentence number {n} stands here." for n in range(12))
    document, chunks = cut(text, HashEncoder().tokenizer, max_tokens=30, overlap_tokens=7, context_tokens=0)
    assert len(chunks) > 2
    starts = {start for start, _ in sentence_spans(text)}
    for first, second in zip(chunks, chunks[1:], strict=False):
        assert second.start in starts
        assert 0 < first.end - second.start <= len("Sentence number 10 stands here.")


def test_fenced_code_stays_whole_when_it_fits() -> None:
    code = "```python\nfor a in b:\n\n    print(a)\n```"
    text = "Some words before the code are here now. " * 2 + "\n\n" + code + "\n\nAnd after."
    _, chunks = cut(text, HashEncoder().tokenizer, max_tokens=26, overlap_tokens=0, context_tokens=0)
    assert any(code in chunk.text for chunk in chunks)


def test_a_word_of_a_megabyte_is_cut_in_readable_pieces() -> None:
    _, chunks = cut("x" * 1_000_000, LazyTokenizer())
    assert sum(len(chunk.text) for chunk in chunks) == 1_000_000
    assert max(len(chunk.text) for chunk in chunks) <= 24 * 16


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("See Fig. 3 and e.g. Dr. Hall. Next.", ["See Fig. 3 and e.g. Dr. Hall.", "Next."]),
        ("It costs 3.50 now. J. Smith said so.", ["It costs 3.50 now.", "J. Smith said so."]),
        ("今日は。明日は！", ["今日は。", "明日は！"]),
        ("- one\n- two", ["- one", "- two"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences
