"""The adapter against sentence-transformers itself: same rows, its prompts, and windows where it would cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.encoder import Encoder, load_encoder
from c2vsearch.encoder.sentence_transformers import SentenceTransformersEncoder
from c2vsearch.errors import EncoderMismatch, InvalidConfig, InvalidQuery, ModelNotFound

pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer

from tests.tiny_sentence_transformers import save_tiny

TEXTS = ["fox", "the quick brown fox jumps over the lazy dog .", "", "find the dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = {"query": "query : ", "document": "text : ", "other": "find a "}
    return save_tiny(tmp_path_factory.mktemp("prompted"), prompts=prompts)


def reference(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def test_rows_are_those_of_the_library(folder: Path) -> None:
    encoder = load_encoder(f"st:{folder}")
    assert isinstance(encoder, Encoder)
    rows = encoder.encode_documents(TEXTS)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, reference(folder).encode_document(TEXTS), atol=2e-6)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS), reference(folder).encode_query(TEXTS), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert encoder.encode_documents([]).shape == (0, 16)
    assert encoder.max_tokens == 32 - 2


def test_the_models_prompts_are_used(prompted: Path) -> None:
    encoder, model = load_encoder(f"st:{prompted}"), reference(prompted)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS), model.encode_document(TEXTS), atol=2e-6)
    queries = encoder.encode_queries(TEXTS)
    np.testing.assert_allclose(queries, model.encode_query(TEXTS), atol=2e-6)
    assert np.abs(queries - model.encode(TEXTS)).max() > 1e-3  # prompts matter here
    assert encoder.max_tokens == 32 - 2 - 2
    # The model was trained with its prompt: a task in words does not replace it.
    np.testing.assert_array_equal(encoder.encode_queries(TEXTS, instruction="find a dog"), queries)


def test_a_default_prompt_is_used_where_the_library_uses_it(tmp_path: Path) -> None:
    place = save_tiny(tmp_path, prompts={"passage": "text : ", "other": "find : "})
    settings = json.loads((place / "config_sentence_transformers.json").read_text())
    for prompts in (settings["prompts"], {"other": "find : "}):
        changed = {**settings, "prompts": prompts, "default_prompt_name": "other"}
        (place / "config_sentence_transformers.json").write_text(json.dumps(changed))
        encoder, model = load_encoder(f"st:{place}"), reference(place)
        np.testing.assert_allclose(encoder.encode_documents(TEXTS), model.encode_document(TEXTS), atol=2e-6)
        np.testing.assert_allclose(encoder.encode_queries(TEXTS), model.encode_query(TEXTS), atol=2e-6)


def test_an_instruction_goes_before_the_query_of_a_model_without_a_prompt(folder: Path) -> None:
    encoder = load_encoder(f"st:{folder}")
    rows = encoder.encode_queries(["fox"], instruction="find a dog")
    expected = reference(folder).encode("Instruct: find a dog\nQuery: fox")
    np.testing.assert_allclose(rows[0], expected, atol=2e-6)
    with pytest.raises(InvalidQuery, match="leaves 5 of 30 tokens"):
        encoder.encode_queries(["fox"], instruction="dog " * 21)


@pytest.mark.parametrize("kind", ["folder", "prompted"])
def test_a_long_text_is_the_mean_of_its_windows(kind: str, request: pytest.FixtureRequest) -> None:
    encoder = load_encoder(f"st:{request.getfixturevalue(kind)}")
    size = encoder.max_tokens - 1
    parts = [" ".join([word] * count) for word, count in (("fox", size), ("dog", size), ("lazy", size - 1))]
    rows = encoder.encode_documents(parts)
    mean = np.array([size, size / 2, (size - 1) / 3], dtype=np.float32) @ rows
    [whole] = encoder.encode_documents([" ".join(parts)])
    np.testing.assert_allclose(whole, mean / np.linalg.norm(mean), atol=1e-5)
    # sentence-transformers reads max_tokens of a text and cuts the rest, so a window is not cut by it.
    longest = " ".join(["fox"] * encoder.max_tokens)
    model = reference(request.getfixturevalue(kind))
    np.testing.assert_allclose(
        model.encode_document(f"{longest} dog"), encoder.encode_documents([longest])[0], atol=2e-6
    )


def test_the_fingerprint_is_that_of_the_files(folder: Path, prompted: Path, tmp_path: Path) -> None:
    encoder = load_encoder(f"st:{folder}")
    assert encoder.fingerprint.name == f"st:{folder}"
    assert (encoder.fingerprint.dim, encoder.fingerprint.precision) == (16, "fp32")
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    assert load_encoder(f"st:{copy}").fingerprint == encoder.fingerprint
    settings = json.loads((copy / "sentence_bert_config.json").read_text())
    (copy / "sentence_bert_config.json").write_text(json.dumps({**settings, "max_seq_length": 20}))
    assert load_encoder(f"st:{copy}").fingerprint != encoder.fingerprint
    assert load_encoder(f"st:{prompted}").fingerprint != encoder.fingerprint


def test_the_index_reopens_its_model_and_refuses_another(folder: Path, prompted: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for word in ("fox", "dog", "task"):
        (tmp_path / "docs" / f"{word}.txt").write_text(f"the {word}\n")
    report = index_directory(tmp_path / "docs", index=tmp_path / "index", encoder=f"st:{folder}")
    assert report.encoded == 3
    with Retriever.open(tmp_path / "index") as retriever:
        assert isinstance(retriever.encoder, SentenceTransformersEncoder)
        [hit] = retriever.search("the fox", k=1, mode="dense")
        assert hit.source == "fox.txt"
        assert hit.score == pytest.approx(1.0, abs=2e-3)  # vectors are stored as float16
    with pytest.raises(EncoderMismatch, match="was built with st:"):
        Retriever.open(tmp_path / "index", encoder=f"st:{prompted}")
    with pytest.raises(EncoderMismatch, match="was built with st:"):
        index_directory(tmp_path / "docs", index=tmp_path / "index", encoder="hash")


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ModelNotFound, match=r"no sentence-transformers model 'nobody/nothing'.*not in the cache"
    ) as caught:
        load_encoder("st:nobody/nothing")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelNotFound, match="no modules.json"):
        load_encoder(f"st:{tmp_path}")
    (tmp_path / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "somebody.elses.Module"}]')
    with pytest.raises(ModelNotFound, match="cannot be opened by sentence-transformers.*not part of"):
        load_encoder(f"st:{tmp_path}")
    with pytest.raises(InvalidConfig, match="no CUDA device"):
        load_encoder("st:nobody/nothing", device="cuda")
