"""The batched module against the slow twin, by value, over architectures, paddings and layouts."""

from __future__ import annotations

import pytest
import torch

from c2vsearch.model.batch import collate
from c2vsearch.model.reference import embed_one
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from tests.tiny_models import DECODERS, make_model, make_spec, make_tokenizer

TEXTS = [
    "the quick brown fox jumps over the lazy dog .",
    "fox",
    "a text that answers : the query , find the dog . " * 3,
]


def tokenized(spec, instruction: str) -> list[TokenizedText]:
    tokenizer = TextTokenizer(spec, encoder=make_tokenizer(), decoder=make_tokenizer())
    return tokenizer.tokenize(TEXTS, instruction=instruction)


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("instruction", ["", "Instruct: find a text\nQuery: "])
def test_batch_equals_the_twin(decoder: str, side: str, instruction: str) -> None:
    model = make_model(make_spec(decoder))
    texts = tokenized(model.spec, instruction)
    with torch.inference_mode():
        expected = torch.stack([embed_one(model, text) for text in texts])
        actual = model(collate(texts, padding_side=side))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"context_first": True},
        {"bos_token_id": 2},
        {"bos_token_id": 2, "context_first": True},
        {"pooling": "eos"},
        {"pooling": "context"},
        {"encoder_pooling": "cls"},
        {"projector_residual": True},
        {"tied_token_embeddings": True},
    ],
)
def test_layouts_equal_the_twin(changes: dict[str, object]) -> None:
    model = make_model(make_spec(**changes))
    texts = tokenized(model.spec, "find a text : ")
    with torch.inference_mode():
        expected = torch.stack([embed_one(model, text) for text in texts])
        actual = model(collate(texts))
    assert actual.shape == (3, model.spec.dim)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=2e-6)


def test_order_of_a_batch_changes_no_row() -> None:
    model = make_model(make_spec())
    texts = tokenized(model.spec, "")
    with torch.inference_mode():
        forward, backward = model(collate(texts)), model(collate(texts[::-1]))
    torch.testing.assert_close(forward, backward.flip(0), rtol=1e-5, atol=1e-6)


def test_the_causal_mask_is_untouched() -> None:
    """A token after C cannot reach C's state, and the instruction reaches it only when it stands before."""
    for context_first, reaches in ((False, True), (True, False)):
        model = make_model(make_spec(pooling="context", context_first=context_first))
        tokenizer = TextTokenizer(model.spec, encoder=make_tokenizer(), decoder=make_tokenizer())
        plain, instructed = (tokenizer.tokenize(["fox"], instruction=i)[0] for i in ("", "find a dog : "))
        other_text = TokenizedText(plain.encoder, plain.before, (*plain.after[:-1], 5, 6, plain.after[-1]))
        with torch.inference_mode():
            base, text_changed, told = (embed_one(model, text) for text in (plain, other_text, instructed))
        torch.testing.assert_close(base, text_changed)
        assert torch.allclose(base, told, atol=1e-5) is not reaches


def test_gradient_reaches_encoder_projector_and_decoder() -> None:
    model = make_model(make_spec()).train()
    rows = model(collate(tokenized(model.spec, "find : ")))
    (rows[0] @ rows[1]).backward()
    for half in (model.encoder, model.projector, model.decoder):
        gradients = [parameter.grad for parameter in half.parameters() if parameter.grad is not None]
        assert gradients
        assert max(gradient.abs().max() for gradient in gradients) > 1e-6


def test_halves_of_the_concatenation_are_the_single_poolings() -> None:
    whole, context, eos = (make_model(make_spec(pooling=pooling)) for pooling in ("concat", "context", "eos"))
    texts = tokenized(whole.spec, "")
    with torch.inference_mode():
        left, right = whole(collate(texts)).chunk(2, dim=1)
        expected_left, expected_right = context(collate(texts)), eos(collate(texts))
    torch.testing.assert_close(torch.nn.functional.normalize(left, dim=1), expected_left)
    torch.testing.assert_close(torch.nn.functional.normalize(right, dim=1), expected_right)
