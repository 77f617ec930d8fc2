"""Every recipe runs unchanged but for paths and length, on tiny random backbones of each architecture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")

from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.integrations.sentence_transformers import open_sentence_transformer
from c2vsearch.model.checkpoint import find_model, load
from c2vsearch.model.spec import read_spec
from c2vsearch.training import read_config, train
from tests.tiny_models import BERT, DECODERS, save_backbone
from tests.training.runs import learnable_pairs, write_pairs

RECIPES = Path(__file__).parents[2] / "recipes"
ARCHITECTURES = {"e5-sheared-llama-1.3b": "llama", "e5-mistral-7b": "mistral", "e5-qwen3-0.6b": "qwen3"}


def run_recipe(name: str, kind: str, place: Path) -> Path:
    """Two steps; each data set the recipe names is a small one."""
    recipe = RECIPES / f"{name}.toml"
    named = read_config(recipe).data
    for source in sorted({*named.weights, *named.tasks}):
        rows = [{**row, "query": f"{row['query']} {source}"} for row in learnable_pairs(8, negatives=1)]
        write_pairs(place / "data" / f"{source}.jsonl", rows)
    paths = {
        "model.encoder": save_backbone(place / "encoder", BERT),
        "model.decoder": save_backbone(place / "decoder", DECODERS[kind], bos=kind in ("llama", "mistral", "gemma")),
        "training.output": place / "run",
    }
    settings = [f"{key}={json.dumps(str(path))}" for key, path in paths.items()]
    settings += [f"data.files={json.dumps([str(place / 'data')])}", "training.steps=2"]
    return train(read_config(recipe, settings=settings)).folder


@pytest.mark.parametrize(("name", "kind"), ARCHITECTURES.items())
def test_a_recipe_runs_on_its_architecture(name: str, kind: str, tmp_path: Path) -> None:
    folder = run_recipe(name, kind, tmp_path)
    texts = ["the quick brown fox", "a lazy dog"]
    encoder, model = TorchEncoder(folder, device="cpu"), open_sentence_transformer(folder, device="cpu")
    np.testing.assert_allclose(model.encode_query(texts), encoder.encode_queries(texts), atol=1e-5)
    assert np.isfinite(encoder.encode_documents(texts)).all()
    entries = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("mrr@10" in entry for entry in entries)
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").is_file()


@pytest.mark.parametrize("kind", ["gemma", "gpt2"])
def test_a_recipe_runs_on_other_architectures(kind: str, tmp_path: Path) -> None:
    folder = run_recipe("e5-qwen3-0.6b", kind, tmp_path)
    assert np.isfinite(TorchEncoder(folder, device="cpu").encode_queries(["the fox"])).all()


def test_the_recipe_of_the_bundled_model_runs(tmp_path: Path) -> None:
    """And a started model with a frozen encoder keeps it: the encoder's half of the weights is what it was."""
    pairs = write_pairs(tmp_path / "pairs.jsonl", learnable_pairs(8, negatives=2))
    settings = [f"data.files={json.dumps([str(pairs)])}", f"training.output={json.dumps(str(tmp_path / 'run'))}"]
    trained = train(read_config(RECIPES / "c2v-mini.toml", settings=[*settings, "training.steps=2"]))
    before, after = (load(folder).state_dict() for folder in (find_model("c2v-mini"), trained.folder))
    assert before.keys() == after.keys()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"projector", "decoder"}
    assert read_spec(trained.folder).name == "c2v-mini-mine"
