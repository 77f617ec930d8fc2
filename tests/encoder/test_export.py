"""Exported folders by value: the graphs against torch, over architectures; what cannot be exported leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from c2vsearch.encoder import load_encoder
from c2vsearch.encoder.export import export_model
from c2vsearch.encoder.onnx_runtime import OnnxEncoder
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.errors import DataError, InvalidConfig
from c2vsearch.model import checkpoint, onnx_graph
from c2vsearch.model.checkpoint import find_model
from tests.tiny_models import BERT, DECODERS, ENCODERS, make_model, make_spec, make_tokenizer

TEXTS = ["fox", "the quick brown fox jumps over the lazy dog .", "", "a text that answers : the query . " * 5]
QWEN3 = {**DECODERS["qwen3"], "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}}
QWEN2 = {**DECODERS["llama"], "model_type": "qwen2", "num_key_value_heads": 1}
UNWINDOWED = {**DECODERS["mistral"], "sliding_window": None}


def saved(place: Path, **changes: object) -> Path:
    place.mkdir(exist_ok=True)
    make_tokenizer().save(str(place / "tokenizer.json"))
    checkpoint.save(make_model(make_spec(**changes)), place / "m", tokenizers=place)
    return place / "m"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"projector_residual": True, "tied_token_embeddings": True},
        {"decoder": UNWINDOWED, "pooling": "eos"},
        {"decoder": {**DECODERS["mistral"], "sliding_window": 128}},
        {"decoder": QWEN3, "encoder_pooling": "cls", "projector_residual": True},
        {"decoder": {**DECODERS["llama"], "attention_bias": True, "mlp_bias": True}, "pooling": "context"},
        {"encoder": ENCODERS["xlm-roberta"], "bos_token_id": 2, "context_first": True},
        {"encoder": {**ENCODERS["xlm-roberta"], "model_type": "roberta"}, "decoder": QWEN2},
        {"encoder": {**BERT, "hidden_size": 24, "hidden_act": "gelu_new"}},
    ],
    ids=["plain", "residual", "mistral", "wide-window", "qwen3", "biases", "xlm-roberta", "qwen2", "narrower"],
)
def test_exported_graphs_equal_torch(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = saved(tmp_path, **changes)
    torch_encoder = TorchEncoder(folder)
    for precisions in (("fp32",), ("int8", "fp32")):
        out = tmp_path / "-".join(precisions)
        done = export_model(folder, out=out, precisions=precisions, least_cosine=0.8)
        assert [agreement.precision for agreement in done.agreements] == list(precisions)
        assert (out / "model-int8.onnx").exists() is ("int8" in precisions)
        onnx_encoder, same_weights = OnnxEncoder(out, precision="fp32", threads=1), TorchEncoder(out)
        for task in (None, "find a dog"):
            rows = onnx_encoder.encode_queries(TEXTS, instruction=task)
            np.testing.assert_allclose(rows, same_weights.encode_queries(TEXTS, instruction=task), atol=3e-6)
            if precisions == ("fp32",):
                np.testing.assert_allclose(rows, torch_encoder.encode_queries(TEXTS, instruction=task), atol=3e-6)
        assert load_encoder(out).fingerprint.precision == precisions[0]
    int8 = OnnxEncoder(out, precision="int8", threads=1).encode_documents(TEXTS)
    assert (int8 * torch_encoder.encode_documents(TEXTS)).sum(axis=1).min() > 0.8
    graphs = {f"model-{precision}{part}.onnx" for precision in ("int8", "fp32") for part in ("", "-states")}
    names = {"config.json", "tokenizer.json", "model.safetensors", *graphs}
    assert {path.name for path in out.iterdir()} == names
    assert {path.name for path in tmp_path.iterdir()} == {"m", "tokenizer.json", "fp32", "int8-fp32"}


def test_a_padding_token_in_a_text_takes_no_position(tmp_path: Path) -> None:
    """RoBERTa does not count its padding token, wherever it stands."""
    folder = saved(tmp_path, encoder={**ENCODERS["xlm-roberta"], "pad_token_id": 7})
    export_model(folder, out=tmp_path / "out", precisions=["fp32"])
    texts = ["the quick brown fox jumps over the lazy dog ."]
    assert make_tokenizer().encode(texts[0]).ids[4] == 7  # fox, in the middle
    rows = OnnxEncoder(tmp_path / "out", precision="fp32", threads=1).encode_documents(texts)
    np.testing.assert_allclose(rows, TorchEncoder(folder).encode_documents(texts), atol=3e-6)


def test_the_bundled_model_exports_to_itself(tmp_path: Path) -> None:
    done = export_model("c2v-mini", out=tmp_path / "mini")
    assert done.revision == checkpoint.revision(find_model("c2v-mini"))
    assert done.bytes < 36 * 2**20
    for agreement in done.agreements:
        assert agreement.cosine > 0.98
    texts = ["The ferry leaves at nine.", "Knead the dough for ten minutes.", "x"]
    for precision in ("int8", "fp32"):
        again, before = (
            OnnxEncoder(folder, precision=precision, threads=1)
            for folder in (tmp_path / "mini", find_model("c2v-mini"))
        )
        np.testing.assert_array_equal(again.encode_documents(texts), before.encode_documents(texts))
        np.testing.assert_array_equal(again.encode_queries(texts), before.encode_queries(texts))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder": DECODERS["gpt2"]}, "decoder is of type gpt2, expected one of llama"),
        ({"decoder": DECODERS["gemma"]}, "decoder is of type gemma"),
        ({"encoder": ENCODERS["modernbert"]}, "encoder is of type modernbert, expected one of bert"),
        ({"decoder": DECODERS["mistral"]}, "decoder has a sliding window of 6 tokens"),
        (
            {
                "decoder": {
                    **DECODERS["llama"],
                    "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4},
                }
            },
            "rotary positions are .*linear",
        ),
    ],
)
def test_what_has_no_graph_is_refused_by_name(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    folder = saved(tmp_path, **changes)
    with pytest.raises(InvalidConfig, match=f"cannot export tiny to ONNX: its {message}.*use the torch runtime"):
        export_model(folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_large_a_model_and_a_place_that_is_taken_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "note").write_text("mine")
    with pytest.raises(InvalidConfig, match="taken exists"):
        export_model(folder, out=tmp_path / "taken")
    with pytest.raises(InvalidConfig, match="'fp16'; expected of int8, fp32"):
        export_model(folder, out=tmp_path / "out", precisions=["fp16"])
    monkeypatch.setattr("c2vsearch.encoder.export.MAX_PARAMETERS", 10_000)
    with pytest.raises(InvalidConfig, match="million parameters; expected at most"):
        export_model(folder, out=tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"m", "tokenizer.json", "taken"}


def test_a_graph_that_disagrees_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path)
    with pytest.raises(DataError, match=r"a cosine of 0\.\d+ .* at least 0.999999.*--precision fp32"):
        export_model(folder, out=tmp_path / "out", least_cosine=0.999999)
    monkeypatch.setitem(onnx_graph.ACTIVATIONS, "gelu", ("Relu", "", {}))
    with pytest.raises(DataError, match="fp32 graph differs from torch by"):
        export_model(folder, out=tmp_path / "out", precisions=["fp32"])
    assert {path.name for path in tmp_path.iterdir()} == {"m", "tokenizer.json"}


def test_an_exported_folder_says_what_it_was(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "README.md").write_text("# A model card\n")
    (folder / "modules.json").write_text("[]")
    export_model(folder, out=tmp_path / "out", least_cosine=0.8)
    assert (tmp_path / "out" / "README.md").read_text() == "# A model card\n"
    assert (tmp_path / "out" / "modules.json").read_text() == "[]"
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == json.loads(
        (folder / "config.json").read_text()
    )
