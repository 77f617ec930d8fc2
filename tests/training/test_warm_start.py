"""The started model against what its two halves should be: the encoder's vector, and a bag of words summed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.batch import collate
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.training.warm_start import NORM_EPS, TokenTable, calibrate, token_table, warm_start
from tests.tiny_models import BERT, LLAMA, VOCABULARY, WORDS, make_model, make_spec, make_tokenizer

WIDTH, SCALE = 64, 0.8
TEXTS = ["the quick brown fox", "a lazy dog .", "find a query that answers", "jumps over the lazy dog : text"]


def spec(**changes: object):
    decoder = {**LLAMA, "hidden_size": WIDTH, "intermediate_size": 128, "hidden_act": "silu", "rms_norm_eps": NORM_EPS}
    settings = {
        "encoder": {**BERT, "hidden_size": WIDTH},
        "decoder": {**decoder, "attention_bias": True},
        "bos_token_id": VOCABULARY["[CLS]"],
        "projector_residual": True,
        "tied_token_embeddings": True,
    }
    return make_spec(**{**settings, **changes})


@pytest.fixture(scope="module")
def started() -> tuple[Causal2Vec, TokenTable, TextTokenizer]:
    model = make_model(spec())
    tokenizer = TextTokenizer(model.spec, encoder=make_tokenizer(), decoder=make_tokenizer())
    with torch.no_grad():
        embeddings = model.encoder.get_input_embeddings().weight
        embeddings.copy_(torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(3)) / 8)
    generator = np.random.default_rng(5)
    many = [" ".join(generator.choice(WORDS, 9)) for _ in range(60)]
    sample = pooled(model, tokenizer, many)
    table = token_table(embeddings.detach(), torch.arange(40.0) * 2, texts=90, first=4, exponent=0.75)
    warm_start(model, table, sample, bag_scale=SCALE, epochs=400, seed=1)
    batch = collate(tokenizer.tokenize(many))
    calibrate(model, table, batch, sample, bag_scale=SCALE)
    return model, table, tokenizer


@torch.inference_mode()
def pooled(model: Causal2Vec, tokenizer: TextTokenizer, texts: list[str]) -> torch.Tensor:
    batch = collate(tokenizer.tokenize(texts))
    states = model.encoder(input_ids=batch.encoder_ids, attention_mask=batch.encoder_mask).last_hidden_state
    return model.pool_encoder(states, batch.encoder_mask)


def bag(table: TokenTable, text: str) -> torch.Tensor:
    total = torch.zeros(WIDTH)
    for word in text.split():
        total += table.log_weights[VOCABULARY[word]].exp() * table.vectors[VOCABULARY[word]]
    return total


def test_each_half_is_what_it_should_be(started) -> None:
    model, table, tokenizer = started
    with torch.inference_mode():
        states = model.states(collate(tokenizer.tokenize(TEXTS)))
    bags = torch.stack([bag(table, text) for text in TEXTS])
    assert torch.cosine_similarity(states.context, pooled(model, tokenizer, TEXTS)).min() > 0.9
    assert torch.cosine_similarity(states.eos, bags).min() > 0.93


def test_an_instruction_adds_no_words_to_the_bag(started) -> None:
    model, _, tokenizer = started
    with torch.inference_mode():
        plain = model.states(collate(tokenizer.tokenize(TEXTS)))
        asked = model.states(collate(tokenizer.tokenize(TEXTS, instruction="instruct : answers the quick query")))
    assert torch.cosine_similarity(plain.eos, asked.eos).min() > 0.99
    assert torch.cosine_similarity(plain.context, asked.context).min() > 0.99


def test_rare_words_weigh_more_and_white_words_are_apart() -> None:
    generator = torch.Generator().manual_seed(1)
    embeddings = torch.randn(500, 8, generator=generator) @ torch.randn(8, 8, generator=generator) + 3.0
    table = token_table(embeddings, torch.arange(500.0), texts=1000, first=0, exponent=0.5)
    assert (table.log_weights[1:] < table.log_weights[:-1]).all()
    expected = 0.5 * np.log(np.log(1001 / 10.5))
    assert table.log_weights[10].item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(table.vectors.norm(dim=1), 1.0, atol=1e-5)
    assert (table.vectors @ table.vectors.T).mean().abs() < 0.01  # without whitening: above 0.5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bos_token_id": None}, "bos_token_id"),
        ({"projector_residual": False}, "projector_residual"),
        ({"tied_token_embeddings": False}, "tied_token_embeddings"),
        ({"decoder": {**LLAMA, "hidden_size": WIDTH, "hidden_act": "silu"}}, "attention_bias"),
    ],
)
def test_a_model_of_another_kind_is_refused(changes: dict[str, object], named: str) -> None:
    model = make_model(spec(**changes))
    table = token_table(torch.randn(40, WIDTH), torch.ones(40), texts=9, first=4, exponent=0.75)
    with pytest.raises(InvalidConfig, match=named):
        warm_start(model, table, torch.randn(8, WIDTH), bag_scale=1.0, epochs=1, seed=1)
