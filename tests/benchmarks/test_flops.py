import inspect

import pytest
import torch
from flops import DecoderShape, EncoderShape, projector_flops
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel, DynamicCache

from c2vsearch.model.causal2vec import Projector
from tests.tiny_models import BERT, DECODERS


def build(config: dict[str, object]) -> torch.nn.Module:
    values = dict(config)
    made = AutoConfig.for_model(values.pop("model_type"), **values, attn_implementation="eager")
    return AutoModel.from_config(made).eval()


def counted(model: torch.nn.Module, **inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize(("kind", "kv_heads"), [("llama", 2), ("llama", 1)])
@pytest.mark.parametrize("tokens", [1, 7, 20])
def test_decoder_flops_are_those_the_counter_sees(kind: str, kv_heads: int, tokens: int) -> None:
    decoder = build({**DECODERS[kind], "num_key_value_heads": kv_heads})
    shape = DecoderShape(hidden=16, layers=3, intermediate=32, heads=2, kv_heads=kv_heads)
    ids = torch.ones(1, tokens, dtype=torch.long)
    assert counted(decoder, input_ids=ids, use_cache=False) == shape.flops(tokens)  # type: ignore[arg-type]


def test_a_cached_prefix_is_attended_to_and_not_computed() -> None:
    decoder = build(DECODERS["llama"])
    shape = DecoderShape(hidden=16, layers=3, intermediate=32, heads=2, kv_heads=2)
    # Later versions of transformers have another name for it.
    name = "cache" if "cache" in inspect.signature(decoder.forward).parameters else "past_key_values"
    prefix = {name: DynamicCache()}
    with torch.no_grad():
        decoder(input_ids=torch.ones(1, 9, dtype=torch.long), use_cache=True, **prefix)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        decoder(input_ids=torch.ones(1, 5, dtype=torch.long), use_cache=True, **prefix)
    assert counter.get_total_flops() == shape.flops(5, prefix=9)


@pytest.mark.parametrize("tokens", [1, 7, 20])
def test_encoder_flops_are_those_the_counter_sees(tokens: int) -> None:
    encoder = build(BERT)
    encoder.pooler = None
    shape = EncoderShape(hidden=16, layers=2, intermediate=32)
    assert counted(encoder, input_ids=torch.ones(1, tokens, dtype=torch.long)) == shape.flops(tokens)


def test_projector_flops_are_those_the_counter_sees() -> None:
    projector = Projector(12, 16, residual=False)
    with FlopCounterMode(display=False) as counter:
        projector(torch.ones(1, 12))
    assert counter.get_total_flops() == projector_flops(12, 16)


def test_parameters_are_those_of_the_matrices() -> None:
    decoder = build(DECODERS["llama"])
    matrices = sum(p.numel() for name, p in decoder.named_parameters() if p.dim() == 2 and "embed" not in name)
    assert DecoderShape(hidden=16, layers=3, intermediate=32, heads=2, kv_heads=2).parameters == matrices
