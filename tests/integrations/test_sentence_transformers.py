"""The model in sentence-transformers against the reference twin and the torch runtime, by value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer

from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.integrations.sentence_transformers import (
    Causal2VecModule,
    open_sentence_transformer,
    save_sentence_transformer,
)
from c2vsearch.model.checkpoint import load, revision, save
from c2vsearch.model.reference import embed_one
from c2vsearch.model.tokens import TextTokenizer
from tests.tiny_models import DECODERS, make_model, make_spec, make_tokenizer

TEXTS = ["the quick brown fox", "a lazy dog .", "find a query that answers : jumps over the lazy dog , the fox", "fox"]


def tokenizer_of(spec) -> TextTokenizer:
    return TextTokenizer(spec, encoder=make_tokenizer(), decoder=make_tokenizer(specials=False))


def model_folder(place: Path, kind: str = "llama", **changes: object) -> Path:
    model = make_model(make_spec(kind, document_template="a text : ", **changes))
    save(model, place, tokenizers=tokenizer_of(model.spec))
    return place


@pytest.mark.parametrize("kind", DECODERS)
def test_vectors_are_those_of_the_reference_and_of_the_torch_runtime(kind: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", kind)
    model, encoder = open_sentence_transformer(folder, device="cpu"), TorchEncoder(folder, device="cpu")
    twin, tokenizer = load(folder), TextTokenizer.open(folder, encoder.spec)
    for rows, expected, prompt in (
        (model.encode_query(TEXTS), encoder.encode_queries(TEXTS), encoder.spec.instruction(None)),
        (model.encode_document(TEXTS), encoder.encode_documents(TEXTS), "a text : "),
    ):
        np.testing.assert_allclose(rows, expected, atol=1e-5)
        with torch.inference_mode():
            slow = torch.stack([embed_one(twin, text) for text in tokenizer.tokenize(TEXTS, instruction=prompt)])
        np.testing.assert_allclose(rows, slow, atol=1e-5)
    assert np.abs(model.encode_query(TEXTS) - model.encode_document(TEXTS)).max() > 1e-3
    assert model.get_embedding_dimension() == encoder.spec.dim


def test_the_instruction_stands_before_the_context_and_only_there(tmp_path: Path) -> None:
    module = open_sentence_transformer(model_folder(tmp_path / "m"), device="cpu")[0]
    with_prompt, without = module.preprocess(["the fox"], prompt="find a query"), module.preprocess(["the fox"])
    assert with_prompt["encoder_ids"].tolist() == without["encoder_ids"].tolist()
    assert with_prompt["context_position"].tolist() == [3]
    assert without["context_position"].tolist() == [0]


def test_a_prepared_folder_loads_by_name_and_stays_what_it_was(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    before = revision(folder)
    save_sentence_transformer(folder)
    assert revision(folder) == before
    model = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")
    encoder = TorchEncoder(folder, device="cpu")
    np.testing.assert_allclose(model.encode_query(TEXTS), encoder.encode_queries(TEXTS), atol=1e-5)
    np.testing.assert_allclose(model.encode_document(TEXTS), encoder.encode_documents(TEXTS), atol=1e-5)


def test_what_sentence_transformers_saves_is_a_model_folder(tmp_path: Path) -> None:
    model = open_sentence_transformer(model_folder(tmp_path / "m"), task="find", device="cpu")
    model.save_pretrained(str(tmp_path / "again"), create_model_card=False)
    encoder = TorchEncoder(tmp_path / "again", device="cpu")
    expected = encoder.encode_queries(TEXTS, instruction="find")
    np.testing.assert_allclose(model.encode_query(TEXTS), expected, atol=1e-5)
    again = SentenceTransformer(str(tmp_path / "again"), trust_remote_code=True, device="cpu")
    assert isinstance(again[0], Causal2VecModule)
    np.testing.assert_allclose(again.encode_query(TEXTS), expected, atol=1e-5)
    written = json.loads((tmp_path / "again" / "config_sentence_transformers.json").read_text())
    assert written["prompts"]["query"] == "Instruct: find\nQuery: "


def test_long_texts_are_cut_at_both_halves(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    model = open_sentence_transformer(folder, device="cpu")
    model.max_seq_length = 5
    long, cut = "the quick brown fox jumps over the lazy dog", "the quick brown fox jumps"
    np.testing.assert_allclose(model.encode_document([long]), model.encode_document([cut]), atol=1e-6)
    features = model[0].preprocess([long])
    assert features["encoder_mask"].sum() == 7
    assert features["decoder_mask"].sum() == 7  # C, five tokens, EOS


def test_the_trainer_of_sentence_transformers_trains_it(tmp_path: Path) -> None:
    """Its own trainer, data sets and cached loss, with prompts by column."""
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
    from transformers import PrinterCallback

    model = open_sentence_transformer(model_folder(tmp_path / "m"), device="cpu")
    before = model.encode_query(TEXTS)
    rows = {"anchor": ["the fox", "a dog", "lazy", "quick"], "positive": ["find", "query", "text", "task"]}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(tmp_path / "run"), max_steps=25, per_device_train_batch_size=4, learning_rate=3e-3,
            prompts={"anchor": model.prompts["query"], "positive": model.prompts["document"]}, use_cpu=True,
            report_to="none", disable_tqdm=True, logging_steps=1, save_strategy="no", dataloader_pin_memory=False,
        ),
        train_dataset=datasets.Dataset.from_dict(rows),
        loss=CachedMultipleNegativesRankingLoss(model, mini_batch_size=2),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] / 5
    assert np.abs(model.encode_query(TEXTS) - before).max() > 1e-2
    scores = model.similarity(model.encode_query(rows["anchor"]), model.encode_document(rows["positive"]))
    assert scores.argmax(dim=1).tolist() == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:mteb.*", "ignore::FutureWarning:mteb.*")
def test_mteb_evaluates_it(tmp_path: Path) -> None:
    """A retrieval task made on the spot: mteb's nDCG is that of the torch runtime's rows, prompts and all."""
    mteb = pytest.importorskip("mteb")
    datasets = pytest.importorskip("datasets")
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    documents = {f"d{n}": text for n, text in enumerate([*TEXTS, "lazy fox", "brown dog : a task", "query , find ."])}
    queries = {"q0": "quick fox", "q1": "the dog", "q2": "find a query"}
    qrels = {"q0": {"d0": 1}, "q1": {"d1": 1, "d5": 1}, "q2": {"d6": 1}}

    class Tiny(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="TinyMade", dataset={"path": "none", "revision": "1"}, description="Made by a test.", type="Retrieval",
            category="t2t", eval_splits=["test"], eval_langs=["eng-Latn"], main_score="ndcg_at_3",
        )  # fmt: skip

        def load_data(self, **options: object) -> None:
            corpus = [{"id": name, "text": text, "title": ""} for name, text in documents.items()]
            asked = [{"id": name, "text": text} for name, text in queries.items()]
            split = {
                "corpus": datasets.Dataset.from_list(corpus),
                "queries": datasets.Dataset.from_list(asked),
                "relevant_docs": qrels,
                "top_ranked": None,
            }
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    folder = model_folder(tmp_path / "m")
    model = open_sentence_transformer(folder, device="cpu")
    result = mteb.evaluate(
        model, Tiny(), cache=None, encode_kwargs={"show_progress_bar": False}, show_progress_bar=False
    )
    actual = result.task_results[0].scores["test"][0]["ndcg_at_3"]

    encoder = TorchEncoder(folder, device="cpu")
    scores = encoder.encode_queries(list(queries.values())) @ encoder.encode_documents(list(documents.values())).T
    expected = []
    for name, row in zip(queries, scores, strict=True):
        ranked = [f"d{place}" for place in np.argsort(-row)[:3]]
        gain = sum(1 / np.log2(rank + 2) for rank, document in enumerate(ranked) if document in qrels[name])
        expected.append(gain / sum(1 / np.log2(rank + 2) for rank in range(min(3, len(qrels[name])))))
    assert actual == pytest.approx(np.mean(expected), abs=1e-4)
