"""The model that ships: both runtimes agree by value, it means something, and its folder is whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

from c2vsearch.encoder.onnx_runtime import OnnxEncoder
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.model.checkpoint import find_model

TEXTS = [
    "Submit your expenses within sixty days; hotels are paid up to 120 pounds a night.",
    "Knead the dough for ten minutes and let it rise until it has doubled.",
    "The function returns None when the key is missing.\n\nRaises KeyError otherwise.",
    "x",
    "Die Fähre legt um neun Uhr ab. 船は九時に出ます。",
    "word " * 500,
]
QUESTIONS = ["how do I get my travel costs back?", "bread recipe", "what happens if the key does not exist"]


@pytest.fixture(scope="module")
def torch_rows() -> tuple[np.ndarray, np.ndarray]:
    encoder = TorchEncoder(find_model("c2v-mini"))
    return encoder.encode_documents(TEXTS), encoder.encode_queries(QUESTIONS)


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("int8", 0.98)])
def test_the_runtimes_agree(torch_rows: tuple[np.ndarray, np.ndarray], precision: str, least: float) -> None:
    encoder = OnnxEncoder(find_model("c2v-mini"), precision=precision, threads=2)
    for expected, actual in zip(
        torch_rows, (encoder.encode_documents(TEXTS), encoder.encode_queries(QUESTIONS)), strict=True
    ):
        assert (expected * actual).sum(axis=1).min() > least
        if precision == "fp32":
            np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_each_question_finds_its_answer_without_sharing_words(torch_rows: tuple[np.ndarray, np.ndarray]) -> None:
    encoder = OnnxEncoder(find_model("c2v-mini"), threads=1)
    scores = encoder.encode_queries(QUESTIONS) @ encoder.encode_documents(TEXTS).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_the_folder_is_whole_and_small() -> None:
    folder = find_model("c2v-mini")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "model-int8.onnx",
        "model-fp32.onnx",
        "model-int8-states.onnx",
        "model-fp32-states.onnx",
        "README.md",
        "search.json",
        "token_codec.npz",
    }
    assert sum(path.stat().st_size for path in folder.iterdir()) < 36 * 2**20
    config = json.loads((folder / "config.json").read_text())
    assert (config["architecture"], config["name"]) == ("causal2vec", "c2v-mini")
