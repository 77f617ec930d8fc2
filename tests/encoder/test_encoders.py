"""What every encoder promises: rows of unit length that depend on their text alone, and nothing silently cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2vsearch.encoder import Encoder, HashEncoder, TokenEncoder, load_encoder
from c2vsearch.encoder.onnx_runtime import OnnxEncoder
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.encoder.windows import windows
from c2vsearch.errors import InvalidConfig, ModelNotFound
from c2vsearch.model import checkpoint
from c2vsearch.model.onnx_graph import write_graphs
from tests.tiny_models import make_model, make_spec, make_tokenizer

TEXTS = ["fox", "the quick brown fox jumps over the lazy dog .", "", "find the dog , the lazy dog : " * 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    make_tokenizer().save(str(place / "tokenizer.json"))
    spec = make_spec(projector_residual=True, tied_token_embeddings=True)
    checkpoint.save(make_model(spec), place, tokenizers=place, int8=True)
    write_graphs(place, spec)
    return place


@pytest.fixture(params=["hash", "onnx-int8", "onnx-fp32", "torch"])
def encoder(request: pytest.FixtureRequest, folder: Path) -> Encoder:
    if request.param == "hash":
        return HashEncoder(max_tokens=48)
    if request.param == "torch":
        return TorchEncoder(folder, batch_size=3)
    return OnnxEncoder(folder, precision=request.param.removeprefix("onnx-"), threads=2)


def test_rows_are_unit_and_independent_of_neighbours(encoder: Encoder) -> None:
    together = encoder.encode_documents(TEXTS)
    assert together.shape == (4, encoder.fingerprint.dim)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    alone = np.concatenate([encoder.encode_documents([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS[::-1]), together[::-1], atol=2e-6)


def test_no_texts_no_rows(encoder: Encoder) -> None:
    assert encoder.encode_documents([]).shape == (0, encoder.fingerprint.dim)
    assert encoder.encode_queries([]).shape == (0, encoder.fingerprint.dim)


def test_int8_rows_do_not_depend_on_neighbours_at_all(folder: Path) -> None:
    encoder = OnnxEncoder(folder, threads=2)
    np.testing.assert_array_equal(encoder.encode_documents(TEXTS)[1:2], encoder.encode_documents([TEXTS[1]]))


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_instruction_changes_queries_only(folder: Path, kind: str) -> None:
    encoder = OnnxEncoder(folder, precision="fp32", threads=1) if kind == "onnx" else TorchEncoder(folder)
    default, named, other = (encoder.encode_queries(["fox"], instruction=task) for task in
                             (None, encoder.spec.default_task, "find a dog"))  # fmt: skip
    np.testing.assert_array_equal(default, named)
    assert np.abs(default - other).max() > 1e-3
    assert np.abs(default - encoder.encode_documents(["fox"])).max() > 1e-3


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_long_text_is_the_mean_of_its_windows(folder: Path, kind: str) -> None:
    encoder = OnnxEncoder(folder, threads=1) if kind == "onnx" else TorchEncoder(folder)
    text = " ".join(["fox"] * 48 + ["dog"] * 48 + ["query"] * 10)
    rows = encoder.encode_documents(
        [" ".join([word] * count) for word, count in (("fox", 48), ("dog", 48), ("query", 10))]
    )
    mean = np.array([48, 48, 10], dtype=np.float32) @ rows
    np.testing.assert_allclose(encoder.encode_documents([text])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_windows_hold_every_token() -> None:
    tokenizer = HashEncoder().tokenizer
    text = "one, two; three four. " * 9
    pieces = windows(text, tokenizer=tokenizer, max_tokens=7)
    spans = [piece[start:end] for piece, _ in pieces for start, end in tokenizer.token_spans(piece)]
    assert spans == [text[start:end] for start, end in tokenizer.token_spans(text)]
    assert all(count <= 7 for _, count in pieces)


def test_a_window_whose_words_break_in_more_pieces_still_fits() -> None:
    class Growing:
        """Reads "abcd" as one token and any piece of it as its letters."""

        def token_spans(self, text: str) -> list[tuple[int, int]]:
            spans, at = [], 0
            while at < len(text):
                step = 4 if text[at : at + 4] == "abcd" else 1
                spans.append((at, at + step))
                at += step
            return spans

    text = "xab" + "abcd" * 9 + "cd"
    pieces = windows(text, tokenizer=Growing(), max_tokens=4)
    assert "".join(piece for piece, _ in pieces) == text
    assert all(len(Growing().token_spans(piece)) <= 4 for piece, _ in pieces)


def test_token_states(folder: Path) -> None:
    encoder = OnnxEncoder(folder, threads=2)
    assert isinstance(encoder, TokenEncoder)
    states = encoder.encode_document_tokens(TEXTS)
    assert [len(rows) for rows in states] == [3, 12, 2, 34]
    for rows in states:
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_both_runtimes_have_one_fingerprint(folder: Path) -> None:
    assert OnnxEncoder(folder, threads=1).fingerprint == TorchEncoder(folder).fingerprint
    assert OnnxEncoder(folder, threads=1).fingerprint != HashEncoder().fingerprint


def test_loading(folder: Path, tmp_path: Path) -> None:
    assert isinstance(load_encoder(folder), OnnxEncoder)
    assert isinstance(load_encoder(folder, runtime="torch"), TorchEncoder)
    with pytest.raises(ModelNotFound, match="no model"):
        load_encoder(tmp_path)
    with pytest.raises(InvalidConfig, match="runtime is 'tpu'"):
        load_encoder(folder, runtime="tpu")  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="no CUDA device"):
        load_encoder(folder, device="cuda")
