"""The layout of sequences, written out by hand."""

from __future__ import annotations

import pytest

from c2vsearch.errors import InvalidQuery
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from tests.tiny_models import EOS, VOCABULARY, make_spec, make_tokenizer

V = VOCABULARY


def layout(**changes: object) -> TokenizedText:
    tokenizer = TextTokenizer(make_spec(**changes), encoder=make_tokenizer(), decoder=make_tokenizer())
    return tokenizer.tokenize(["lazy fox"], instruction="find :")[0]


def test_context_stands_between_instruction_and_text() -> None:
    text = layout()
    assert text.encoder == (V["[CLS]"], V["lazy"], V["fox"], EOS)
    assert text.before == (V["find"], V[":"])
    assert text.after == (V["lazy"], V["fox"], EOS)
    assert (text.context_position, text.decoder_length) == (2, 6)


def test_context_first() -> None:
    text = layout(context_first=True)
    assert text.before == ()
    assert text.after == (V["find"], V[":"], V["lazy"], V["fox"], EOS)


def test_bos_stays_first() -> None:
    assert layout(bos_token_id=1).before == (1, V["find"], V[":"])
    assert layout(bos_token_id=1, context_first=True).before == (1,)


def test_truncation_saved_in_a_tokenizer_is_switched_off() -> None:
    saved = make_tokenizer()
    saved.enable_truncation(3)
    saved.enable_padding(length=64)
    tokenizer = TextTokenizer(make_spec(), encoder=saved, decoder=saved)
    [text] = tokenizer.tokenize(["fox " * 20])
    assert len(text.encoder) == 22
    assert len(text.after) == 21


def test_token_spans_are_the_words() -> None:
    tokenizer = TextTokenizer(make_spec(), encoder=make_tokenizer(), decoder=make_tokenizer())
    assert tokenizer.token_spans("lazy  fox.") == [(0, 4), (6, 9), (9, 10)]


def test_an_endless_instruction_is_refused() -> None:
    tokenizer = TextTokenizer(make_spec(), encoder=make_tokenizer(), decoder=make_tokenizer())
    with pytest.raises(InvalidQuery, match="at most 77"):
        tokenizer.tokenize(["fox"], instruction="find " * 78)
