"""The objective against its formula, without caching, against sentence-transformers, and by its gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")

from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from torch import Tensor
from torch.nn.functional import kl_div, normalize

from c2vsearch.integrations.sentence_transformers import Causal2VecModule, open_sentence_transformer, wrap
from c2vsearch.model.checkpoint import save
from c2vsearch.training.batching import read_sets
from c2vsearch.training.config import LossSettings
from c2vsearch.training.losses import info_nce
from c2vsearch.training.objective import Objective
from c2vsearch.training.start import merge_adapters, start_model
from c2vsearch.training.trainer import Columns
from tests.tiny_models import DECODERS
from tests.training.runs import learnable_pairs, make_run

ALL = LossSettings(temperature=0.1, matryoshka=(8, 16), distill_weight=0.7, context_weight=0.3, eos_weight=0.5)


class Case:
    """A model with adapters, and one batch of six queries with answers, two negatives and teacher scores."""

    def __init__(self, place: Path, *, kind: str = "llama", **changes: Any) -> None:
        rows = learnable_pairs(6, negatives=2, scored=True)
        rows[0]["positive"] += " the lazy dog jumps over the quick brown fox . " * 2  # lengths must differ
        self.config = make_run(place, kind=kind, rows=rows, data__hard_negatives=2, **changes)
        model, tokenizer = start_model(self.config)
        self.module = Causal2VecModule(model, tokenizer)
        self.model = wrap(self.module, device="cpu").train()
        for name, parameter in model.named_parameters():  # adapters begin at zero, which would hide their gradients
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        [part], _ = read_sets(self.config.data.files, hard_negatives=2, held_out=0, seed=1)
        self.batch = Columns(self.module, self.config)([(part, pair) for pair in part.pairs])

    def columns(self) -> list[dict[str, Tensor]]:
        names = ("query", "positive", "negative_0", "negative_1")
        return [
            {key.removeprefix(f"{name}_"): value for key, value in self.batch.items() if key.startswith(f"{name}_")}
            for name in names
        ]

    def run(self, loss: torch.nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        self.model.zero_grad()
        value = loss(self.columns(), self.batch["label"])
        value.backward()
        gradients = {
            name: p.grad.clone() for name, p in self.model.named_parameters() if p.requires_grad and p.grad is not None
        }
        return value.detach(), gradients


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, gradient in first.items():
        torch.testing.assert_close(second[name], gradient, rtol=1e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("size", [1, 4])
def test_caching_changes_neither_loss_nor_gradients(size: int, checkpointing: bool, tmp_path: Path) -> None:
    case = Case(tmp_path, lora__dropout=0.0, training__gradient_checkpointing=checkpointing)
    spec = case.module.model.spec
    whole, expected = case.run(Objective(case.model, spec, ALL, mini_batch_size=0))
    cached, actual = case.run(Objective(case.model, spec, ALL, mini_batch_size=size))
    assert cached.item() == pytest.approx(whole.item(), rel=1e-5)
    assert_same(expected, actual)
    learning = [name for name, parameter in case.model.named_parameters() if parameter.requires_grad]
    assert set(learning) == set(expected)
    for part in ("projector.up.weight", "encoder.embeddings.word_embeddings.weight", "lora_A", "lora_B"):
        assert any(part in name and gradient.abs().max() > 1e-6 for name, gradient in actual.items()), part


def test_the_plain_loss_is_that_of_sentence_transformers(tmp_path: Path) -> None:
    case = Case(tmp_path, lora__dropout=0.0)
    plain = LossSettings(temperature=0.1, distill_weight=0.0)
    ours, actual = case.run(Objective(case.model, case.module.model.spec, plain, mini_batch_size=2))
    theirs, expected = case.run(CachedMultipleNegativesRankingLoss(case.model, scale=10.0, mini_batch_size=2))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert_same(expected, actual)


def test_the_loss_is_its_formula(tmp_path: Path) -> None:
    case = Case(tmp_path, lora__dropout=0.0)
    objective = Objective(case.model, case.module.model.spec, ALL, mini_batch_size=0)
    with torch.no_grad():
        actual = objective(case.columns(), case.batch["label"]).item()
        rows = [case.model(column)["sentence_embedding"] for column in case.columns()]

    def contrast(columns: list[int]) -> float:
        short = [normalize(side[:, columns], dim=1) for side in rows]
        return info_nce(short[0], torch.cat(short[1:]), temperature=0.1).item()

    def distilled(columns: list[int]) -> float:
        short = [normalize(side[:, columns], dim=1) for side in rows]
        student = torch.stack([(short[0] * side).sum(dim=1) for side in short[1:]], dim=1)
        target = torch.softmax(torch.tensor([[0.9, 0.1, 0.1]]).expand(6, 3) / 0.05, dim=1)
        return kl_div(torch.log_softmax(student / 0.1, dim=1), target, reduction="batchmean").item()

    # 32 columns: 16 of C, 16 of EOS; shorter embeddings keep the first columns of each half.
    widths = [list(range(32)), [*range(4), *range(16, 20)], [*range(8), *range(16, 24)]]
    expected = sum(contrast(columns) + 0.7 * distilled(columns) for columns in widths)
    expected += 0.3 * contrast(list(range(16))) + 0.5 * contrast(list(range(16, 32)))
    assert actual == pytest.approx(expected, rel=1e-4)
    parts = objective.take_parts()
    assert set(parts) == {
        *("contrast", "contrast_8", "contrast_16", "distill", "distill_8", "distill_16", "context", "eos")
    }
    assert sum(parts.values()) == pytest.approx(actual, rel=1e-4)
    assert objective.take_parts() == {}


@pytest.mark.parametrize("kind", DECODERS)
def test_merged_adapters_give_the_vectors_of_unmerged_ones(kind: str, tmp_path: Path) -> None:
    case = Case(tmp_path, kind=kind)
    texts = ["the quick brown fox", "a lazy dog"]
    case.model.eval()
    before = case.model.encode_query(texts, convert_to_tensor=True)
    with case.module.model.decoder.disable_adapter():
        without = case.model.encode_query(texts, convert_to_tensor=True)
    assert (before - without).abs().max() > 1e-3
    merge_adapters(case.module.model)
    torch.testing.assert_close(case.model.encode_query(texts, convert_to_tensor=True), before, rtol=0, atol=1e-5)
    save(case.module.model, tmp_path / "merged", tokenizers=case.module.tokenizer)
    again = open_sentence_transformer(tmp_path / "merged", device="cpu")
    torch.testing.assert_close(again.encode_query(texts, convert_to_tensor=True), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen3", "gemma"])
def test_all_linear_names_the_seven_projections(kind: str, tmp_path: Path) -> None:
    case = Case(tmp_path, kind=kind)
    adapted = {
        name.split(".lora_A")[0].rsplit(".", 1)[-1] for name, _ in case.model.named_parameters() if "lora_A" in name
    }
    assert adapted == {f"{part}_proj" for part in ("q", "k", "v", "o", "gate", "up", "down")}


def test_what_learns(tmp_path: Path) -> None:
    """Adapters, projector, encoder; or, frozen and full, everything but the encoder, which keeps its vectors."""
    names = {name for name, p in Case(tmp_path / "a").module.model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or name.startswith(("encoder.", "projector.")) for name in names)
    case = Case(tmp_path / "b", model__freeze_encoder=True, lora__enabled=False)
    learning = {name.split(".")[0] for name, p in case.module.model.named_parameters() if p.requires_grad}
    assert learning == {"projector", "decoder"}
    assert not case.module.model.encoder.training
    assert case.module.model.decoder.training


def test_a_decoder_with_adapters_is_kept_in_bfloat16(tmp_path: Path) -> None:
    model = Case(tmp_path, training__precision="bf16").module.model
    kinds = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert all(dtype == torch.float32 for name, dtype in kinds.items() if model.get_parameter(name).requires_grad)
    assert kinds["decoder.base_model.model.embed_tokens.weight"] == torch.bfloat16
