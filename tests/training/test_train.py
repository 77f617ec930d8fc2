"""Whole runs on tiny random backbones: resumed against uninterrupted, merged against unmerged, learnt or not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")

from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.errors import DivergedTraining, InvalidConfig, InvalidDataset, OutOfDeviceMemory
from c2vsearch.integrations.sentence_transformers import open_sentence_transformer
from c2vsearch.model.checkpoint import load
from c2vsearch.training import train
from c2vsearch.training.train import LOG_FILE
from tests.training.runs import ANIMALS, learnable_pairs, make_run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load(folder).state_dict())


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


def test_a_learnable_set_is_learnt(tmp_path: Path) -> None:
    plain = {"training__mini_batch_size": 0, "training__gradient_checkpointing": False, "lora__enabled": False}
    rows = learnable_pairs(6)
    config = make_run(tmp_path, rows=rows, training__steps=40, training__batch_size=6, training__lr=0.003, **plain)
    reports = []
    trained = train(config, report=reports.append)
    entries = [entry for entry in log(tmp_path / "run") if "loss" in entry]
    assert [entry["step"] for entry in entries] == list(range(1, 41))
    assert entries[-1]["loss"] < entries[0]["loss"] / 5
    assert [report.step for report in reports] == list(range(1, 41))
    assert trained.steps == 40
    assert trained.pairs == {"pairs": 6}
    encoder = TorchEncoder(trained.folder, device="cpu")
    words = ANIMALS[:6]
    scores = encoder.encode_queries(words) @ encoder.encode_documents([row["positive"] for row in rows]).T
    assert (scores.argmax(axis=1) == np.arange(6)).all()
    model = open_sentence_transformer(trained.folder, device="cpu")
    np.testing.assert_allclose(model.encode_query(words), encoder.encode_queries(words), atol=1e-5)
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    assert "<svg" in (tmp_path / "run" / "curves.html").read_text()


def test_a_resumed_run_is_an_uninterrupted_one(tmp_path: Path) -> None:
    """With dropout, adapters, negatives and a schedule: all of it has to go on from where it was."""
    rows = learnable_pairs(negatives=1)
    settings = {"rows": rows, "training__steps": 6, "training__save_every": 3, "training__warmup_steps": 2}
    whole = train(make_run(tmp_path / "a", **settings))
    config = make_run(tmp_path / "b", **settings)

    class Killed(Exception):
        pass

    def kill(progress) -> None:
        if progress.step == 5:
            raise Killed

    with pytest.raises(Killed):
        train(config, report=kill)
    assert not (tmp_path / "b" / "run" / "model").exists()
    resumed = train(config, resume=True)
    expected, actual = weights(whole.folder), weights(resumed.folder)
    for name, tensor in expected.items():
        torch.testing.assert_close(actual[name], tensor, rtol=0, atol=0, msg=name)
    losses = [[entry["loss"] for entry in log(tmp_path / run / "run") if "loss" in entry] for run in "ab"]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6


def test_a_changed_run_is_not_resumed(tmp_path: Path) -> None:
    config = make_run(tmp_path, training__steps=2)
    train(config)
    with pytest.raises(InvalidConfig, match="holds a run already"):
        train(config)
    changed = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, lr=0.5, keep=7),
        lora=dataclasses.replace(config.lora, rank=3),
    )
    with pytest.raises(InvalidConfig) as caught:
        train(changed, resume=True)
    assert str(caught.value).splitlines()[1:] == ["  lora.rank: 16 -> 3", "  training.lr: 0.01 -> 0.5"]
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write(json.dumps({"query": "the", "positive": "one more"}) + "\n")
    with pytest.raises(InvalidConfig, match=r"files\..*pairs\.jsonl: \w+ -> \w+"):
        train(config, resume=True)
    with pytest.raises(InvalidConfig, match="holds no run to resume"):
        train(make_run(tmp_path / "other"), resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2vsearch.training import objective

    config = make_run(tmp_path, training__steps=6, training__save_every=2)
    real, calls = objective.info_nce, []

    def broken(*args, **settings):
        calls.append(1)
        return real(*args, **settings) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(objective, "info_nce", broken)
    with pytest.raises(DivergedTraining, match="at step 4; stopped before any weight changed"):
        train(config)
    kept = tmp_path / "run" / "checkpoints"
    assert [path.name for path in kept.iterdir()] == ["checkpoint-2"]
    assert not (tmp_path / "run" / "model").exists()
    assert train(config, resume=True).steps == 6


def test_out_of_memory_names_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2vsearch.training import objective

    def full(*args, **settings):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(objective, "info_nce", full)
    with pytest.raises(OutOfDeviceMemory, match=r"mini_batch_size \(2\), data.max_document_tokens \(512\)") as caught:
        train(make_run(tmp_path, training__gradient_checkpointing=False))
    assert "gradient_checkpointing = true" in str(caught.value)


def test_a_bad_line_stops_before_anything_is_loaded(tmp_path: Path) -> None:
    config = make_run(tmp_path, model__encoder="/nowhere")
    (tmp_path / "pairs.jsonl").write_text('{"query": "q", "positive": "p"}\n{"query": "q", "positive": ""}\n')
    with pytest.raises(InvalidDataset, match=r"pairs\.jsonl line 2: positive is empty"):
        train(config)
    assert not (tmp_path / "run").exists()


def test_settings_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="dim is 33"):
        train(make_run(tmp_path, loss__matryoshka=[33]))
    with pytest.raises(InvalidConfig, match="losses of the halves"):
        train(make_run(tmp_path, model__pooling="eos", loss__eos_weight=1.0))
    with pytest.raises(InvalidConfig, match=r"names no layer.*q_proj"):
        train(make_run(tmp_path, lora__target_modules=["nothing"]))
    with pytest.raises(InvalidConfig, match="weights names pears; the data sets are pairs"):
        train(make_run(tmp_path, data__weights={"pears": 2.0}))


def test_held_out_pairs_are_measured(tmp_path: Path) -> None:
    config = make_run(tmp_path, data__held_out=3, loss__matryoshka=[8], training__steps=4, training__eval_every=2)
    train(config)
    entries = [entry for entry in log(tmp_path / "run") if "mrr@10" in entry]
    assert [entry["step"] for entry in entries] == [2, 4]
    assert {"mrr@10", "mrr@10_context", "mrr@10_eos", "mrr@10_8"} <= set(entries[0])
    assert all(1 / 3 <= entry["mrr@10"] <= 1 for entry in entries)  # the last of three answers at worst
