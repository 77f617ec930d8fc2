"""What chunks promise of any text: spans exact, nothing lost, no limit exceeded, the same twice, lines right."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.chunking import Tokenizer
from c2vsearch.chunking.tokens import TokenMap
from c2vsearch.chunking.words import WORD_BREAKS, Words
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder.cautious import CautiousTokenizer
from c2vsearch.records import Document
from tests.chunking.texts import (
    SIZES,
    TEXTS,
    WORD,
    CharacterTokenizer,
    GreedyTokenizer,
    LazyTokenizer,
    bundled_tokenizer,
    documents,
    expect_promises,
)

TOKENIZERS = {
    "words": WORD,
    "characters": CharacterTokenizer(),
    "lazy": LazyTokenizer(),
    "greedy": GreedyTokenizer(),
    "bundled": bundled_tokenizer(),
}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(document=documents(), config=SIZES)
def test_promises(name: str, document: Document, config: ChunkingConfig) -> None:
    expect_promises(document, TOKENIZERS[name], config)


@pytest.mark.parametrize("tokenizer", [WORD, CautiousTokenizer(), bundled_tokenizer()])
@settings(max_examples=60, deadline=None)
@given(text=TEXTS, data=st.data())
def test_tokens_by_words_add_up(tokenizer: Tokenizer, text: str, data: st.DataObject) -> None:
    """The ground for counting a chunk once: between words, a text has the tokens of its parts."""
    assert getattr(tokenizer, "by_words", False)
    breaks = [at for at, character in enumerate(text) if character in WORD_BREAKS]
    at = data.draw(st.sampled_from(breaks or [len(text)]))
    whole = [start for start, _ in tokenizer.token_spans(text)]
    left, right = ([start for start, _ in tokenizer.token_spans(part)] for part in (text[:at], text[at:]))
    assert whole == left + [at + start for start in right]
    assert Words(tokenizer).token_starts(text).tolist() == whole


@settings(max_examples=40, deadline=None)
@given(data=st.data(), text=TEXTS.map(lambda text: text * 8), name=st.sampled_from(["words", "bundled", "characters"]))
def test_tokens_found_in_pieces_are_those_of_the_whole(data: st.DataObject, text: str, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("c2vsearch.chunking.tokens.PIECE_CHARS", 64)
        tokens = TokenMap(text, TOKENIZERS[name])
        starts = [start for start, _ in TOKENIZERS[name].token_spans(text)]
        if any(len(word) > 16 for word in re.split("[ \n\t\r]", text)):
            return  # a word in several pieces has the tokens of its pieces
        for _ in range(4):
            start, end = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
            inside = [at for at in starts if start <= at < end]
            assert tokens.count(start, end) == len(inside)
            number = data.draw(st.integers(0, 30))
            assert tokens.place(start, end, number) == (inside[number] if number < len(inside) else end)
