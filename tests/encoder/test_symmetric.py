"""Both sides instructed: the rows of documents are those of queries, and the prompt is part of the fingerprint."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from c2vsearch.encoder import Encoder, HashEncoder, load_encoder
from c2vsearch.encoder.onnx_runtime import OnnxEncoder
from c2vsearch.encoder.openai import OpenAIEncoder
from c2vsearch.encoder.symmetric import SymmetricEncoder, for_task, made_for
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.model import checkpoint
from c2vsearch.model.onnx_graph import write_graphs
from c2vsearch.model.reference import embed_one
from c2vsearch.task import TASKS, Task
from tests.tiny_models import make_model, make_spec, make_tokenizer

TEXTS = ["fox", "the quick brown fox jumps over the lazy dog .", "", "find the dog , the lazy dog : " * 4]
FIND = Task("", "find a dog", symmetric=True)
PROMPT = "Instruct: find a dog\nQuery: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    make_tokenizer().save(str(place / "tokenizer.json"))
    spec = make_spec()
    checkpoint.save(make_model(spec), place, tokenizers=place, int8=True)
    write_graphs(place, spec)
    return place


@pytest.fixture(params=["int8", "fp32", "torch"])
def encoder(request: pytest.FixtureRequest, folder: Path) -> Encoder:
    if request.param == "torch":
        return TorchEncoder(folder)
    return OnnxEncoder(folder, precision=request.param, threads=1)


def test_documents_are_encoded_as_queries_are(encoder: Encoder) -> None:
    both = for_task(encoder, FIND)
    assert isinstance(both, Encoder)
    expected = encoder.encode_queries(TEXTS, instruction="find a dog")
    np.testing.assert_allclose(both.encode_documents(TEXTS), expected, atol=2e-6)
    np.testing.assert_allclose(both.encode_queries(TEXTS), expected, atol=2e-6)
    assert np.abs(expected - encoder.encode_documents(TEXTS)).max() > 1e-3
    other = encoder.encode_queries(TEXTS, instruction="find the quick fox")
    np.testing.assert_allclose(both.encode_queries(TEXTS, instruction="find the quick fox"), other, atol=2e-6)
    assert both.encode_documents([]).shape == (0, encoder.fingerprint.dim)


def test_documents_are_those_of_the_slow_twin(folder: Path) -> None:
    encoder, model = TorchEncoder(folder), checkpoint.load(folder)
    with torch.inference_mode():
        texts = encoder.tokenizer.tokenize(TEXTS[:3], instruction=PROMPT)
        expected = torch.stack([embed_one(model, text) for text in texts]).numpy()
    np.testing.assert_allclose(for_task(encoder, FIND).encode_documents(TEXTS[:3]), expected, rtol=1e-4, atol=2e-6)


def test_the_prompt_is_part_of_what_made_the_vectors(encoder: Encoder) -> None:
    made = for_task(encoder, FIND).fingerprint
    assert made == dataclasses.replace(encoder.fingerprint, document_prompt=PROMPT) != encoder.fingerprint
    assert made_for(encoder, FIND) == made
    for task in (None, TASKS["qa"]):
        assert for_task(encoder, task) is encoder
        assert made_for(encoder, task) == encoder.fingerprint
    assert made_for(HashEncoder(), FIND) == HashEncoder().fingerprint


def test_sentence_transformers_under_their_own_prompts(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    from tests.tiny_sentence_transformers import save_tiny

    texts = TEXTS[:3]
    plain = save_tiny(tmp_path / "plain", max_seq_length=64)
    prompted = save_tiny(tmp_path / "prompted", prompts={"query": "query : ", "document": "text : "})
    for place, prompt in ((plain, PROMPT), (prompted, "query : ")):
        both = for_task(load_encoder(f"st:{place}"), FIND)
        assert both.fingerprint.document_prompt == prompt
        model = library.SentenceTransformer(str(place), device="cpu", local_files_only=True)
        expected = model.encode([prompt + text for text in texts])
        np.testing.assert_allclose(both.encode_documents(texts), expected, atol=2e-6)


def test_what_cannot_instruct_documents_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfig, match="the model hash cannot instruct documents, which this task does; expected"):
        SymmetricEncoder(HashEncoder(), instruction="find a dog")
    endpoint = OpenAIEncoder("openai:http://localhost:1/v1#some-model")
    endpoint._dim = 24  # as after its first answer
    with pytest.raises(InvalidConfig, match="the model openai:http://localhost:1/v1#some-model cannot instruct"):
        for_task(endpoint, TASKS["duplicate"])
    assert for_task(endpoint, TASKS["qa"]) is endpoint
