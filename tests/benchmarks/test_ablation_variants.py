from dataclasses import replace

import pytest
import torch
from ablations.variants import VARIANTS, Embedder, collate, lay_out, mean_pool
from transformers import LlamaModel

from c2vsearch.model.batch import collate as collate_model
from c2vsearch.model.tokens import TokenizedText
from tests.tiny_models import EOS, make_model, make_spec

INSTRUCTION = [9, 10, 11]
TEXTS = [[5, 6, 7, 8], [12], [13, 14, 15, 16, 17, 18, 19]]


def embedder(name: str) -> Embedder:
    model = make_model(make_spec("llama"))
    made = Embedder(VARIANTS[name], model.decoder, encoder_width=16).eval()
    if made.projector is not None:
        made.projector.load_state_dict(model.projector.state_dict())
    return made


def sequences(name: str, instruction: list[int] = INSTRUCTION) -> list:
    return [lay_out(VARIANTS[name], instruction=instruction, text=text, eos=EOS) for text in TEXTS]


def vectors() -> torch.Tensor:
    return torch.randn(len(TEXTS), 16, generator=torch.Generator().manual_seed(3))


def run(name: str) -> torch.Tensor:
    context = vectors() if VARIANTS[name].context else None
    with torch.no_grad():
        return embedder(name)(collate(sequences(name)), context)


def causal_states(decoder: LlamaModel, embeddings: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return decoder(inputs_embeds=embeddings[None], use_cache=False).last_hidden_state[0]


def two_way_states(decoder: LlamaModel, embeddings: torch.Tensor) -> torch.Tensor:
    """The Llama layers written out, one text, no mask at all."""
    hidden, tokens, heads = embeddings, len(embeddings), decoder.config.num_attention_heads
    width = decoder.config.hidden_size // heads
    angles = torch.outer(torch.arange(tokens).float(), 1.0 / 10000.0 ** (torch.arange(0, width, 2).float() / width))
    cos, sin = torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()

    def turn(x: torch.Tensor) -> torch.Tensor:
        return x * cos + torch.cat([-x[:, width // 2 :], x[:, : width // 2]], 1) * sin

    with torch.no_grad():
        for layer in decoder.layers:
            normed, parts, at = layer.input_layernorm(hidden), [], layer.self_attn
            for head in range(heads):
                rows = slice(head * width, (head + 1) * width)
                q, k, v = (normed @ part.weight[rows].T for part in (at.q_proj, at.k_proj, at.v_proj))
                parts.append(torch.softmax(turn(q) @ turn(k).T / width**0.5, dim=1) @ v)
            hidden = hidden + torch.cat(parts, dim=1) @ at.o_proj.weight.T
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return decoder.norm(hidden)


def unit(row: torch.Tensor) -> torch.Tensor:
    return row / row.norm()


@pytest.mark.parametrize(
    ("name", "pooling"), [("causal2vec", "concat"), ("context-eos", "eos"), ("context-only", "context")]
)
def test_variants_with_a_contextual_token_equal_the_package(name: str, pooling: str) -> None:
    model = make_model(make_spec("llama", pooling=pooling))
    texts = [TokenizedText(encoder=(2, *text, 3), before=tuple(INSTRUCTION), after=(*text, EOS)) for text in TEXTS]
    batch = collate_model(texts)
    pooled = mean_pool(model.encoder, batch.encoder_ids, batch.encoder_mask)
    with torch.no_grad():
        expected, found = model(batch), embedder(name)(collate(sequences(name)), pooled)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_last_token_pooling_equals_one_text_at_a_time() -> None:
    decoder = embedder("last").decoder
    table = decoder.get_input_embeddings().weight
    expected = [unit(causal_states(decoder, table[[*INSTRUCTION, *text, EOS]])[-1]) for text in TEXTS]
    torch.testing.assert_close(run("last"), torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_mean_pooling_leaves_instruction_eos_and_padding_out() -> None:
    decoder = embedder("mean").decoder
    table = decoder.get_input_embeddings().weight
    states = [causal_states(decoder, table[[*INSTRUCTION, *text, EOS]]) for text in TEXTS]
    expected = [unit(row[len(INSTRUCTION) : -1].mean(dim=0)) for row in states]
    torch.testing.assert_close(run("mean"), torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_echo_pools_exactly_the_second_copy() -> None:
    decoder = embedder("echo").decoder
    table = decoder.get_input_embeddings().weight
    states = [causal_states(decoder, table[[*INSTRUCTION, *text, *text, EOS]]) for text in TEXTS]
    starts = [len(INSTRUCTION) + len(text) for text in TEXTS]
    expected = [unit(row[start:-1].mean(dim=0)) for row, start in zip(states, starts, strict=True)]
    torch.testing.assert_close(run("echo"), torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_bidirectional_attention_equals_layers_without_a_mask() -> None:
    decoder = embedder("bidirectional").decoder
    table = decoder.get_input_embeddings().weight
    states = [two_way_states(decoder, table[[*INSTRUCTION, *text, EOS]]) for text in TEXTS]
    expected = [unit(row[len(INSTRUCTION) : -1].mean(dim=0)) for row in states]
    torch.testing.assert_close(run("bidirectional"), torch.stack(expected), atol=1e-5, rtol=1e-4)
    assert (run("bidirectional") - run("mean")).abs().max() > 0.01


@pytest.mark.parametrize("name", list(VARIANTS))
def test_neighbours_and_padding_change_no_row(name: str) -> None:
    whole, made, context = run(name), embedder(name), vectors()
    for row, sequence in enumerate(sequences(name)):
        with torch.no_grad():
            alone = made(collate([sequence]), context[row : row + 1] if VARIANTS[name].context else None)
        torch.testing.assert_close(alone[0], whole[row], atol=1e-5, rtol=1e-4)


def test_a_text_without_tokens_is_pooled_at_eos() -> None:
    empty = lay_out(VARIANTS["mean"], instruction=INSTRUCTION, text=[], eos=EOS)
    assert empty.pools == ((len(INSTRUCTION),),)
    assert lay_out(VARIANTS["echo"], instruction=[], text=[], eos=EOS).pools == ((0,),)


def test_variants_differ_from_causal2vec_in_one_thing() -> None:
    whole = VARIANTS["causal2vec"]
    for name, pooling in (("context-eos", "eos"), ("context-only", "context")):
        assert VARIANTS[name] == replace(whole, label=VARIANTS[name].label, pooling=pooling)
    assert VARIANTS["random-encoder"] == replace(whole, label=VARIANTS["random-encoder"].label, encoder="random")
