"""New models from pretrained folders of every architecture: what they read, what they give, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from c2vsearch.errors import CorruptFile, InvalidConfig, ModelNotFound
from c2vsearch.model import checkpoint
from c2vsearch.model.backbones import from_backbones
from c2vsearch.model.batch import collate
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.reference import embed_one
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.model.weights import stored_dtype
from tests.tiny_models import DECODERS, ENCODERS, EOS, VOCABULARY, save_backbone

TEXTS = [
    "fox",
    "the quick brown fox jumps over the lazy dog .",
    "a text that answers : the query , find the dog . " * 2,
]


@pytest.fixture(scope="session")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("backbones")
    for name, config in {**ENCODERS, **DECODERS}.items():
        save_backbone(place / name, config, head=name in DECODERS)
    return place


def build(place: Path, decoder: str = "llama", encoder: str = "bert", **changes: object):
    settings = {"name": "tiny", "max_tokens": 40, **changes}
    return from_backbones(place / encoder, place / decoder, **settings)


def rows(model: Causal2Vec, tokenizer: TextTokenizer, texts: list[str], *, side: str = "right") -> torch.Tensor:
    with torch.inference_mode():
        return model(collate(tokenizer.tokenize(texts, instruction="find a text : "), padding_side=side))


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_padding_and_neighbours_change_nothing_and_the_twin_agrees(backbones: Path, encoder: str, decoder: str) -> None:
    model, tokenizer = build(backbones, decoder, encoder)
    with torch.inference_mode():
        twin = torch.stack([embed_one(model, text) for text in tokenizer.tokenize(TEXTS, instruction="find a text : ")])
    for actual in (
        rows(model, tokenizer, TEXTS, side="left"),
        rows(model, tokenizer, TEXTS, side="right"),
        rows(model, tokenizer, TEXTS[::-1]).flip(0),
        torch.cat([rows(model, tokenizer, [text]) for text in TEXTS]),
    ):
        torch.testing.assert_close(actual, twin, rtol=1e-4, atol=2e-6)
    assert (twin[0] - twin[1]).abs().max() > 1e-2


@pytest.mark.parametrize("name", sorted(DECODERS) + sorted(ENCODERS))
def test_halves_are_the_pretrained_models(backbones: Path, name: str) -> None:
    """Each half gives what the folder gives by itself, with ids where C's model is given vectors."""
    role = "decoder" if name in DECODERS else "encoder"
    model, _ = build(backbones, **{role: name})
    alone = AutoModel.from_pretrained(backbones / name, dtype=torch.float32).eval()
    ids = torch.tensor([[5, 9, 7, 11, 6, 8, 12, 10, 5]])
    with torch.inference_mode():
        expected = alone(input_ids=ids).last_hidden_state
        if role == "encoder":
            actual = model.encoder(input_ids=ids).last_hidden_state
        else:
            actual = model.decoder(inputs_embeds=model.decoder.get_input_embeddings()(ids)).last_hidden_state
    torch.testing.assert_close(actual, expected)
    assert not hasattr(model.decoder, "lm_head")


def test_gemma_scales_tokens_and_not_c(backbones: Path) -> None:
    """A C equal to a token's scaled vector is read as that token; the bare matrix would not be."""
    model, tokenizer = build(backbones, "gemma")
    [text] = tokenizer.tokenize(["lazy dog"])
    batch = collate([text])
    fox = VOCABULARY["fox"]
    with torch.no_grad():
        scaled = model.decoder.get_input_embeddings().weight[fox] * model.spec.hidden**0.5
        for parameter in model.projector.parameters():
            parameter.zero_()
        model.projector.down.bias.copy_(scaled)
        states = model.states(batch)
        ids = torch.tensor([[*text.before, fox, *text.after]])
        expected = model.decoder(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(states.context[0], expected[0])
    torch.testing.assert_close(states.eos[0], expected[-1])


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_the_causal_mask_is_untouched(backbones: Path, decoder: str) -> None:
    model, tokenizer = build(backbones, decoder)
    plain, longer = tokenizer.tokenize(["lazy dog", "lazy dog jumps over the fox"])
    seen = []
    model.decoder.register_forward_hook(lambda module, args, result: seen.append(result.last_hidden_state))
    with torch.inference_mode():
        pooled = torch.ones(1, model.spec.encoder["hidden_size"])
        for text in (plain, longer):
            model.decode(pooled, collate([text]), pooled)
    common = plain.decoder_length - 1  # all but EOS
    torch.testing.assert_close(seen[0][:, :common], seen[1][:, :common], rtol=1e-5, atol=1e-6)
    assert (seen[0][:, common] - seen[1][:, common]).abs().max() > 1e-3


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_c_knows_the_instruction_only_when_it_stands_behind_it(backbones: Path, decoder: str) -> None:
    for context_first in (False, True):
        model, tokenizer = build(backbones, decoder, pooling="context", context_first=context_first)
        states = [collate(tokenizer.tokenize(["fox"], instruction=task)) for task in ("find a dog : ", "query : ")]
        with torch.inference_mode():
            difference = (model(states[0]) - model(states[1])).abs().max()
        assert (difference < 1e-6) if context_first else (difference > 1e-3)


def test_a_text_longer_than_the_sliding_window(backbones: Path) -> None:
    """EOS does not see beyond its window: with one layer's reach gone, an early word is lost on it."""
    model, tokenizer = build(backbones, "mistral", pooling="eos")
    wide, _ = build(backbones, "mistral", pooling="eos")
    for layer in wide.decoder.layers:
        layer.self_attn.sliding_window = None
    wide.decoder.config.sliding_window = None
    wide.projector.load_state_dict(model.projector.state_dict())
    short, long = "fox", "the dog . " * 8
    assert (rows(model, tokenizer, [long]) - rows(wide, tokenizer, [long])).abs().max() > 1e-3
    # Two layers of windows of six reach back ten places: the first word cannot be read at the end by any path but C.
    batches = [collate(tokenizer.tokenize([first + long])) for first in ("fox ", "query ")]
    pooled = torch.ones(1, model.spec.encoder["hidden_size"])
    with torch.inference_mode():
        ends = [model.decode(pooled, batch, pooled).eos for batch in batches]
        wide_ends = [wide.decode(pooled, batch, pooled).eos for batch in batches]
    torch.testing.assert_close(ends[0], ends[1])
    assert (wide_ends[0] - wide_ends[1]).abs().max() > 1e-4
    assert torch.isfinite(rows(model, tokenizer, [short, long])).all()


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_a_saved_folder_gives_the_same_bits(backbones: Path, tmp_path: Path, decoder: str) -> None:
    model, tokenizer = build(backbones, decoder, "xlm-roberta")
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer)
    again = checkpoint.load(tmp_path / "m")
    reopened = TextTokenizer.open(tmp_path / "m", again.spec)
    assert again.spec == model.spec
    assert torch.equal(rows(again, reopened, TEXTS), rows(model, tokenizer, TEXTS))


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_gradient_reaches_every_part(backbones: Path, decoder: str) -> None:
    model, tokenizer = build(backbones, decoder)
    out = model(collate(tokenizer.tokenize(TEXTS, instruction="find : ")))
    (out[0] @ out[1]).backward()
    for part in (model.encoder, model.projector, model.decoder):
        gradients = [parameter.grad.abs().max() for parameter in part.parameters() if parameter.grad is not None]
        assert max(gradients) > 1e-6


def test_end_and_begin_of_text(backbones: Path, tmp_path: Path) -> None:
    _, plain = build(backbones)
    assert (plain.spec.eos_token_id, plain.spec.bos_token_id) == (EOS, None)
    save_backbone(tmp_path / "bos", DECODERS["llama"], bos=True)
    model, tokenizer = from_backbones(backbones / "bert", tmp_path / "bos", name="tiny", max_tokens=40)
    assert model.spec.bos_token_id == VOCABULARY["[CLS]"]
    [text] = tokenizer.tokenize(["fox"], instruction="find")
    assert text.before == (VOCABULARY["[CLS]"], VOCABULARY["find"])


@pytest.mark.parametrize("vocab_size", [len(VOCABULARY), 40])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_decoder_without_eos_gets_one(backbones: Path, tmp_path: Path, kind: str, vocab_size: int) -> None:
    save_backbone(tmp_path / "d", {**DECODERS[kind], "vocab_size": vocab_size}, eos=None)
    model, tokenizer = from_backbones(backbones / "bert", tmp_path / "d", name="tiny", max_tokens=40)
    table = model.decoder.get_input_embeddings().weight
    end = model.spec.eos_token_id
    assert end == len(VOCABULARY)
    torch.testing.assert_close(table[end], table[:end].mean(dim=0))
    assert model.spec.decoder["vocab_size"] == len(table) == max(vocab_size, end + 1)
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer)
    assert torch.equal(rows(checkpoint.load(tmp_path / "m"), tokenizer, TEXTS), rows(model, tokenizer, TEXTS))


def test_sharded_and_bfloat16_folders(backbones: Path, tmp_path: Path) -> None:
    config = {**DECODERS["qwen3"], "tie_word_embeddings": False}
    save_backbone(tmp_path / "d", config, head=True, max_shard_size="8kB", dtype=torch.bfloat16)
    assert len(list((tmp_path / "d").glob("*.safetensors"))) > 1
    model, _ = from_backbones(backbones / "bert", tmp_path / "d", name="tiny", max_tokens=40, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not any("lm_head" in name for name in model.state_dict())
    wide, _ = from_backbones(backbones / "bert", tmp_path / "d", name="tiny", max_tokens=40)
    for name, tensor in model.decoder.state_dict().items():
        assert torch.equal(tensor.float(), wide.decoder.state_dict()[name])


@pytest.mark.parametrize(
    ("encoder", "decoder", "expected"),
    [
        ("bert", "qwen3", 62),  # the encoder's 64 without [CLS] and [SEP]
        ("xlm-roberta", "qwen3", 60),  # two positions are never used
        ("bert", "short", 46),  # 61 without C, BOS and EOS, of which a quarter is the instruction's
    ],
)
def test_lengths_come_from_positions(
    backbones: Path, tmp_path: Path, encoder: str, decoder: str, expected: int
) -> None:
    save_backbone(tmp_path / "short", {**DECODERS["gpt2"], "n_positions": 64})
    place = tmp_path / "short" if decoder == "short" else backbones / decoder
    model, tokenizer = from_backbones(backbones / encoder, place, name="tiny")
    assert model.spec.max_tokens == expected
    assert torch.isfinite(rows(model, tokenizer, ["fox " * model.spec.max_tokens])).all()
    with pytest.raises(InvalidConfig, match="max_tokens is 63; expected at most 6"):
        from_backbones(backbones / encoder, place, name="tiny", max_tokens=63)


def test_what_cannot_be_a_half_is_refused_in_one_line(backbones: Path, tmp_path: Path) -> None:
    def attempt(encoder: Path | str = backbones / "bert", decoder: Path | str = backbones / "llama", **changes) -> None:
        from_backbones(encoder, decoder, name="tiny", max_tokens=40, **changes)

    with pytest.raises(InvalidConfig, match="of type bert, an encoder"):
        attempt(decoder=backbones / "bert")
    mamba = {"model_type": "mamba", "vocab_size": 40, "hidden_size": 16, "state_size": 4, "num_hidden_layers": 1}
    save_backbone(tmp_path / "mamba", mamba)
    with pytest.raises(InvalidConfig, match="mamba.* takes no vectors with a mask and positions"):
        attempt(decoder=tmp_path / "mamba")
    save_backbone(tmp_path / "wide", {**DECODERS["llama"], "hidden_size": 32})
    with pytest.raises(InvalidConfig, match="16, the decoder 32"):
        attempt(decoder=tmp_path / "wide", projector_residual=True)
    for missing in (tmp_path / "nothing", "nobody/no-such-model"):
        with pytest.raises(ModelNotFound, match=r"cannot load the model of '.*no[a-z-]+'") as caught:
            attempt(encoder=missing)
        assert "\n" not in str(caught.value)


def test_own_code_pickles_and_slow_tokenizers_are_refused(backbones: Path, tmp_path: Path) -> None:
    for name in ("code", "pickle", "slow"):
        shutil.copytree(backbones / "llama", tmp_path / name)
    config = json.loads((tmp_path / "code" / "config.json").read_text())
    own = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Model"}}
    (tmp_path / "code" / "config.json").write_text(json.dumps({**config, **own}))
    (tmp_path / "code" / "own.py").write_text("raise AssertionError('ran')")
    with pytest.raises(ModelNotFound, match="code"):
        from_backbones(backbones / "bert", tmp_path / "code", name="tiny")
    (tmp_path / "pickle" / "model.safetensors").rename(tmp_path / "pickle" / "pytorch_model.bin")
    with pytest.raises(ModelNotFound, match="safetensors"):
        from_backbones(backbones / "bert", tmp_path / "pickle", name="tiny")
    (tmp_path / "slow" / "tokenizer.json").unlink()
    (tmp_path / "slow" / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CanineTokenizer"}))
    with pytest.raises(InvalidConfig, match="CanineTokenizer"):
        from_backbones(backbones / "bert", tmp_path / "slow", name="tiny")


def test_weights_that_are_not_there_are_not_made_up(backbones: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(backbones / "qwen3", tmp_path / "d")
    tensors = load_file(tmp_path / "d" / "model.safetensors")
    gone = next(name for name in tensors if name.endswith("layers.1.mlp.up_proj.weight"))
    del tensors[gone]
    save_file(tensors, tmp_path / "d" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match=r"lack 1 tensors .* such as layers.1.mlp.up_proj.weight"):
        from_backbones(backbones / "bert", tmp_path / "d", name="tiny")


def test_bfloat16_is_saved_and_reloaded_bit_by_bit(backbones: Path, tmp_path: Path) -> None:
    model, tokenizer = build(backbones, dtype=torch.bfloat16)
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer)
    assert stored_dtype(tmp_path / "m") == "BF16"
    again = checkpoint.load(tmp_path / "m", dtype=torch.bfloat16)
    assert torch.equal(rows(again, tokenizer, TEXTS), rows(model, tokenizer, TEXTS))
    exact, _ = build(backbones)
    exact.projector.load_state_dict(model.float().projector.state_dict())
    cosines = (rows(again, tokenizer, TEXTS) * rows(exact, tokenizer, TEXTS)).sum(dim=1)
    assert cosines.min() > 0.99


def test_tokenizers_of_both_halves_are_kept(backbones: Path, tmp_path: Path) -> None:
    model, tokenizer = build(backbones)
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer)
    assert {path.name for path in (tmp_path / "m").glob("*tokenizer.json")} == {
        "encoder_tokenizer.json",
        "decoder_tokenizer.json",
    }
    reopened = TextTokenizer.open(tmp_path / "m", model.spec)
    assert reopened.tokenize(TEXTS, instruction="find") == tokenizer.tokenize(TEXTS, instruction="find")
    save_backbone(tmp_path / "same", ENCODERS["bert"])
    shutil.copy(tmp_path / "same" / "tokenizer.json", tmp_path / "tokenizer.json")
    shutil.copytree(backbones / "llama", tmp_path / "llama")
    shutil.copy(tmp_path / "tokenizer.json", tmp_path / "llama" / "tokenizer.json")
    model, tokenizer = from_backbones(tmp_path / "same", tmp_path / "llama", name="tiny", max_tokens=40)
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer)  # over the other: its tokenizers must go
    assert [path.name for path in (tmp_path / "m").glob("*tokenizer.json")] == ["tokenizer.json"]
    assert TextTokenizer.open(tmp_path / "m", model.spec).shared
