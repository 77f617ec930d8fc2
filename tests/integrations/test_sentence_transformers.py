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
