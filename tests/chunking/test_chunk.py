"""How documents are cut: by their sections, paragraphs and sentences."""

from __future__ import annotations

import pytest

from c2vsearch.chunking import sentence_spans
from tests.chunking.texts import LazyTokenizer, cut


def test_sections_are_not_mixed_and_carry_their_path() -> None:
    body = " ".join(f"word{n}" for n in range(20)) + ".\n\n"
    text = f"# Guide\n\n{body}## First\n\n{body}### Deep\n\n{body}## Second\n\n{body}"
    _, chunks = cut(text, max_tokens=40)
    assert [chunk.heading_path for chunk in chunks] == [
        ("Guide",),
        ("Guide", "First"),
        ("Guide", "First", "Deep"),
        ("Guide", "Second"),
    ]
    assert [chunk.context for chunk in chunks] == ["Title", "Title > Guide", "Title > Guide > First", "Title > Guide"]


def test_a_heading_alone_joins_what_follows() -> None:
    text = "# Guide\n\n## First\n\n" + "some words here. " * 30
    _, chunks = cut(text, max_tokens=40)
    assert chunks[0].text.startswith("# Guide\n\n## First\n\nsome words")


def test_overlap_repeats_whole_sentences() -> None:
    text = " ".join(f"Sentence number {n} stands here." for n in range(12))
    document, chunks = cut(text, max_tokens=30, overlap_tokens=7, context_tokens=0)
    assert len(chunks) > 2
    starts = {start for start, _ in sentence_spans(text)}
    for first, second in zip(chunks, chunks[1:], strict=False):
        assert second.start in starts
        assert 0 < first.end - second.start <= len("Sentence number 10 stands here.")


def test_fenced_code_stays_whole_when_it_fits() -> None:
    code = "```python\nfor a in b:\n\n    print(a)\n```"
    text = "Some words before the code are here now. " * 2 + "\n\n" + code + "\n\nAnd after."
    _, chunks = cut(text, max_tokens=26, overlap_tokens=0, context_tokens=0)
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
