"""A saved folder gives the same vectors; a damaged one is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from c2vsearch.errors import C2VSearchError, CorruptFile, IncompatibleVersion, InvalidConfig, ModelNotFound
from c2vsearch.model import checkpoint
from c2vsearch.model.batch import collate
from c2vsearch.model.onnx_graph import write_graphs
from c2vsearch.model.spec import read_spec
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.model.weights import quantize, stored_dtype, to_float, to_int8
from tests.tiny_models import make_model, make_spec


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("decoder", ["llama", "gpt2"])
def test_round_trip(tmp_path: Path, tokenizer_folder: Path, *, tied: bool, decoder: str) -> None:
    model = make_model(make_spec(decoder, tied_token_embeddings=tied))
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer_folder)
    again = checkpoint.load(tmp_path / "m")
    assert again.spec == model.spec
    batch = collate(TextTokenizer.open(tmp_path / "m", again.spec).tokenize(["lazy fox", "dog"], instruction="find"))
    with torch.inference_mode():
        torch.testing.assert_close(again(batch), model(batch), rtol=0, atol=0)


def test_bfloat16_stays_bfloat16_and_large_weights_lie_in_shards(
    tmp_path: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    model = make_model(make_spec("mistral"))
    checkpoint.save(model, folder, tokenizers=tokenizer_folder)
    whole = (folder / "model.safetensors").stat().st_size
    monkeypatch.setattr("c2vsearch.model.tensors.SHARD_BYTES", 6000)
    checkpoint.save(model, folder, tokenizers=tokenizer_folder, dtype=torch.bfloat16)
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 3
    assert not (folder / "model.safetensors").exists()
    assert max(path.stat().st_size for path in shards) < 6000 + 2000  # and a header
    assert sum(path.stat().st_size for path in shards) < 0.75 * whole
    assert stored_dtype(folder) == "BF16"
    for dtype in (torch.bfloat16, torch.float32):
        again = checkpoint.load(folder, dtype=dtype)
        for name, tensor in model.state_dict().items():
            assert again.state_dict()[name].dtype == dtype
            assert torch.equal(again.state_dict()[name].float(), tensor.bfloat16().float())
    shards[1].unlink()
    with pytest.raises(CorruptFile, match="names 'model-00002"):
        checkpoint.revision(folder)
    monkeypatch.undo()
    checkpoint.save(model, folder, tokenizers=tokenizer_folder)
    assert [path.name for path in folder.glob("model*")] == ["model.safetensors"]


def test_int8_is_within_half_a_step_of_the_float_weight() -> None:
    weight = np.random.default_rng(3).standard_normal((5, 9)).astype(np.float32)
    values, scale = quantize(weight, axis=0)
    assert np.abs(values * scale[:, None] - weight).max() <= scale.max() / 2 + 1e-7
    tensors = {"a.weight": weight, "a.bias": weight[0], "embed_tokens.weight": weight}
    back = to_float(to_int8(tensors))
    assert set(back) == set(tensors)
    np.testing.assert_allclose(back["a.weight"], weight, atol=scale.max() / 2 + 1e-7)
    np.testing.assert_array_equal(back["a.bias"], tensors["a.bias"])


def test_graphs_of_older_weights_do_not_stay(tmp_path: Path, tokenizer_folder: Path) -> None:
    model = make_model(make_spec())
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer_folder, int8=True)
    write_graphs(tmp_path / "m", model.spec)
    assert len(list((tmp_path / "m").glob("*.onnx"))) == 4
    checkpoint.save(model, tmp_path / "m", tokenizers=tokenizer_folder)
    assert not list((tmp_path / "m").glob("*.onnx"))


def test_revision_follows_every_file_that_decides_the_vectors(tmp_path: Path, tokenizer_folder: Path) -> None:
    folder = tmp_path / "m"
    checkpoint.save(make_model(make_spec()), folder, tokenizers=tokenizer_folder)
    first = checkpoint.revision(folder)
    assert first == checkpoint.revision(folder)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        original = (folder / name).read_bytes()
        (folder / name).write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        assert checkpoint.revision(folder) != first
        (folder / name).write_bytes(original)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 99}, IncompatibleVersion),
        ({"surprise": 1}, InvalidConfig),
        ({"pooling": "sum"}, InvalidConfig),
        ({"architecture": "bert"}, CorruptFile),
        ({"encoder": {}}, InvalidConfig),
        ({"max_tokens": 0}, InvalidConfig),
    ],
)
def test_a_wrong_config_is_refused(
    tmp_path: Path, tokenizer_folder: Path, change: dict[str, object], error: type[C2VSearchError]
) -> None:
    checkpoint.save(make_model(make_spec()), tmp_path / "m", tokenizers=tokenizer_folder)
    path = tmp_path / "m" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(error):
        read_spec(tmp_path / "m")


def test_damaged_weights_are_refused(tmp_path: Path, tokenizer_folder: Path) -> None:
    folder = tmp_path / "m"
    checkpoint.save(make_model(make_spec()), folder, tokenizers=tokenizer_folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(CorruptFile, match="safetensors"):
        checkpoint.load(folder)
    checkpoint.save(make_model(make_spec("gpt2")), tmp_path / "other", tokenizers=tokenizer_folder)
    weights.write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(CorruptFile, match="do not fit"):
        checkpoint.load(folder)


def test_an_unknown_model_names_the_bundled_ones() -> None:
    with pytest.raises(ModelNotFound, match="c2v-mini"):
        checkpoint.find_model("no-such-model")
