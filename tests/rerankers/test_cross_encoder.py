"""Cross-encoders against sentence-transformers and, where it has another way, against transformers itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from c2vsearch.errors import CorruptFile, InvalidConfig, ModelNotFound, OutOfDeviceMemory
from c2vsearch.rerankers import load_reranker
from c2vsearch.rerankers.cross_encoder import CrossEncoder
from c2vsearch.rerankers.pretrained import find_pretrained
from tests.tiny_models import ENCODERS
from tests.tiny_rerankers import save_cross_encoder

QUERY = "when does the ferry leave?"
TEXTS = ["the ferry leaves at nine.", "bread", "", "the dough is late " * 40, "a boat: " * 9, "unknown wörds 猫"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("cross"))


def test_scores_are_those_of_sentence_transformers(folder: Path) -> None:
    from sentence_transformers import CrossEncoder as Reference

    expected = Reference(str(folder), device="cpu").predict([(QUERY, text) for text in TEXTS], show_progress_bar=False)
    assert max(expected) - min(expected) > 0.01
    assert load_reranker(folder).scores(QUERY, TEXTS) == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("id2label", "relevant"), [(None, 1), ({0: "relevant", 1: "irrelevant"}, 0), ({0: "no", 1: "YES"}, 1)]
)
def test_two_labels_give_the_probability_of_the_relevant_one(
    tmp_path: Path, id2label: dict[int, str] | None, relevant: int
) -> None:
    folder = save_cross_encoder(tmp_path, labels=2, id2label=id2label)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in TEXTS:
        inputs = tokenizer([QUERY], [text], truncation="longest_first", max_length=64, return_tensors="pt")
        with torch.no_grad():
            expected.append(float(model(**inputs).logits[0].softmax(dim=0)[relevant]))
    assert load_reranker(folder).scores(QUERY, TEXTS) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["xlm-roberta", "modernbert"])
def test_any_architecture_and_no_text_is_too_long(tmp_path: Path, kind: str) -> None:
    ends = {"bos_token_id": 2, "eos_token_id": 3}
    folder = save_cross_encoder(
        tmp_path, model_max_length=10**30, **ENCODERS[kind] | {"vocab_size": 200, "max_position_embeddings": 64}, **ends
    )
    source = find_pretrained(folder)
    assert source.max_tokens == 64 - 2 * (kind == "xlm-roberta")
    found = CrossEncoder(source).scores("ferry " * 500, ["", "the boat " * 5000, "bread"])
    alone = [CrossEncoder(source).scores("ferry " * 500, [text])[0] for text in ("", "the boat " * 5000, "bread")]
    assert found == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("batch_tokens", [1, 70, 100_000])
def test_batches_change_nothing(folder: Path, batch_tokens: int) -> None:
    expected = [load_reranker(folder).scores(QUERY, [text])[0] for text in TEXTS]
    reranker = CrossEncoder(find_pretrained(folder), batch_tokens=batch_tokens)
    assert reranker.scores(QUERY, TEXTS) == pytest.approx(expected, abs=1e-6)
    assert reranker.scores(QUERY, []) == []


def test_a_batch_that_does_not_fit_is_halved_and_one_text_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = CrossEncoder(find_pretrained(folder))
    expected = reranker.scores(QUERY, TEXTS)
    model, sizes = reranker._model, []

    def small(limit: int) -> object:
        def forward(**inputs: torch.Tensor) -> object:
            sizes.append(len(inputs["input_ids"]))
            if sizes[-1] > limit:
                raise torch.OutOfMemoryError("no room")
            return model(**inputs)

        return forward

    monkeypatch.setattr(reranker, "_model", small(2))
    assert reranker.scores(QUERY, TEXTS) == pytest.approx(expected, abs=1e-6)
    assert sizes[0] > 2
    monkeypatch.setattr(reranker, "_model", small(0))
    with pytest.raises(OutOfDeviceMemory, match="cpu cannot hold the reranker and one text of 64 tokens"):
        reranker.scores(QUERY, TEXTS)


def test_what_is_no_reranker_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InvalidConfig, match="tells 3 labels apart"):
        load_reranker(save_cross_encoder(tmp_path / "three", labels=3))
    with pytest.raises(ModelNotFound, match="no folder at"):
        load_reranker(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match="cannot load the configuration of the reranker"):
        load_reranker(tmp_path / "empty")


def test_a_head_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match=r"lack 1 tensors, such as classifier\.weight"):
        load_reranker(folder)


def test_weights_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = torch.full_like(weights["classifier.bias"], float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match="not finite"):
        load_reranker(folder).scores(QUERY, TEXTS)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match="cannot load the weights"):
        load_reranker(folder)


def test_without_a_network_a_name_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr("huggingface_hub.model_info", refused)
    with pytest.raises(ModelNotFound, match=r"'some/reranker' from the cache and the hub.*no route to host"):
        load_reranker("some/reranker")
