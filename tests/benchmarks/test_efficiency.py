import pytest
from efficiency import BOUNDS, SHAPES, configurations, count, counted, longest_within, method_flops, ratios
from flops import DecoderShape, EncoderShape

from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.spec import ModelSpec


@pytest.mark.parametrize("tokens", [128, 512])
def test_formula_equals_what_torch_counts_on_the_meta_device(tokens: int) -> None:
    formula, seen = method_flops(*SHAPES["small"], tokens), counted("small", tokens)
    assert {name: formula[name] for name in seen} == seen


def test_full_shape_equals_what_torch_counts() -> None:
    assert count(configurations("7b")[1], 33) == SHAPES["7b"][0].flops(33)


def test_long_texts_are_cut_for_the_encoder_alone() -> None:
    decoder, encoder = SHAPES["7b"]
    longer, shorter = method_flops(decoder, encoder, 1000), method_flops(decoder, encoder, 600)
    assert longer["causal2vec"] - decoder.flops(1002) == shorter["causal2vec"] - decoder.flops(602)


def test_the_longest_text_within_a_bound_is_the_last_one_that_holds() -> None:
    decoder = DecoderShape(hidden=256, layers=2, intermediate=512, heads=4, kv_heads=2)
    encoder = EncoderShape(hidden=64, layers=1, intermediate=128)
    longest = longest_within(decoder, encoder, BOUNDS["in-context"])
    assert ratios(dict(method_flops(decoder, encoder, longest)))["in-context"] <= BOUNDS["in-context"]
    assert ratios(dict(method_flops(decoder, encoder, longest + 1)))["in-context"] > BOUNDS["in-context"]


def test_configurations_build_a_model_of_the_shape() -> None:
    bert, mistral = configurations("small")
    model = Causal2Vec(ModelSpec(name="s", encoder=bert, decoder=mistral, max_tokens=512, eos_token_id=2))
    matrices = sum(p.numel() for name, p in model.decoder.named_parameters() if p.dim() == 2 and "embed" not in name)
    assert matrices == SHAPES["small"][0].parameters
