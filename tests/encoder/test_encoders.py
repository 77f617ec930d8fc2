"""What every encoder promises: rows of unit length that depend on their text alone, and nothing silently cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from c2vsearch.encoder import Encoder, HashEncoder, TokenEncoder, load_encoder
from c2vsearch.encoder.onnx_runtime import OnnxEncoder
from c2vsearch.encoder.torch_runtime import TorchEncoder
from c2vsearch.encoder.windows import windows
from c2vsearch.errors import InvalidConfig, ModelNotFound, OutOfDeviceMemory
from c2vsearch.model import checkpoint
from c2vsearch.model.onnx_graph import write_graphs
from c2vsearch.model.reference import embed_one
from tests.tiny_models import DECODERS, make_model, make_spec, make_tokenizer

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
        return TorchEncoder(folder, batch_tokens=64)
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


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_token_states(folder: Path, kind: str) -> None:
    encoder = OnnxEncoder(folder, precision="fp32", threads=2) if kind == "onnx" else TorchEncoder(folder)
    assert isinstance(encoder, TokenEncoder)
    states = encoder.encode_document_tokens([*TEXTS, "fox " * 60])
    assert [len(rows) for rows in states] == [3, 12, 2, 34, 50]  # the last is cut at what the model reads
    model = checkpoint.load(folder)
    for text, rows in zip(TEXTS, states, strict=False):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
        with torch.inference_mode():
            ids = torch.tensor([make_tokenizer().encode(text).ids])
            expected = model.encoder(input_ids=ids).last_hidden_state[0].numpy()
        np.testing.assert_allclose(rows, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=2e-6)
    np.testing.assert_array_equal(encoder.encode_query_tokens("fox"), encoder.encode_document_tokens(["fox"])[0])


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_torch_rows_are_those_of_the_slow_twin(tmp_path: Path, decoder: str) -> None:
    make_tokenizer().save(str(tmp_path / "tokenizer.json"))
    checkpoint.save(make_model(make_spec(decoder)), tmp_path, tokenizers=tmp_path)
    encoder, model = TorchEncoder(tmp_path, batch_tokens=50), checkpoint.load(tmp_path)
    for rows, instruction in (
        (encoder.encode_documents(TEXTS), ""),
        (encoder.encode_queries(TEXTS, instruction="find a dog"), "Instruct: find a dog\nQuery: "),
    ):
        with torch.inference_mode():
            texts = encoder.tokenizer.tokenize(TEXTS, instruction=instruction)
            expected = torch.stack([embed_one(model, text) for text in texts]).numpy()
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_rows_are_those_of_the_cpu(folder: Path) -> None:
    expected = TorchEncoder(folder, device="cpu").encode_documents(TEXTS)
    exact = TorchEncoder(folder, device="cuda", precision="fp32").encode_documents(TEXTS)
    np.testing.assert_allclose(exact, expected, atol=1e-4)
    rough = TorchEncoder(folder, device="cuda", precision="bf16").encode_documents(TEXTS)
    assert (expected * rough).sum(axis=1).min() > 0.999


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


def test_bfloat16_is_near_float32(folder: Path) -> None:
    exact, rough = (TorchEncoder(folder, precision=p).encode_documents(TEXTS) for p in ("fp32", "bf16"))
    assert (exact * rough).sum(axis=1).min() > 0.999
    assert np.abs(exact - rough).max() > 1e-6
    np.testing.assert_allclose(np.linalg.norm(rough, axis=1), 1.0, atol=1e-6)
    assert TorchEncoder(folder, precision="bf16").fingerprint.precision == "bf16"


def test_batches_hold_at_most_their_tokens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TorchEncoder(folder, batch_tokens=40)
    shapes = _record_shapes(encoder, monkeypatch)
    texts = TEXTS * 5
    rows = encoder.encode_documents(texts)
    assert sum(count for count, _ in shapes) == len(texts)
    assert all(count == 1 or count * length <= 40 for count, length in shapes)
    assert max(count for count, _ in shapes) > 5
    np.testing.assert_allclose(rows, np.tile(TorchEncoder(folder).encode_documents(TEXTS), (5, 1)), atol=2e-6)


def test_a_batch_too_large_for_the_device_is_halved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TorchEncoder(folder, batch_tokens=10_000)
    expected = encoder.encode_documents(TEXTS * 3)
    shapes = _record_shapes(encoder, monkeypatch, holds=70, error=torch.OutOfMemoryError("CUDA out of memory"))
    np.testing.assert_allclose(encoder.encode_documents(TEXTS * 3), expected, atol=2e-6)
    assert encoder.batch_tokens <= 70
    assert shapes[0][0] == 12
    monkeypatch.undo()
    _record_shapes(encoder, monkeypatch, holds=20, error=torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(OutOfDeviceMemory, match=r"cannot hold one text of 34 tokens .* lower --max-tokens"):
        encoder.encode_documents(TEXTS)


def _record_shapes(
    encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch, *, holds: int = 10**9, error: Exception | None = None
) -> list[tuple[int, int]]:
    """The (texts, longest) of every batch; a device that holds only so many tokens."""
    shapes: list[tuple[int, int]] = []
    model = encoder._model

    def forward(batch):
        shapes.append((len(batch.decoder_ids), max(batch.decoder_ids.shape[1], batch.encoder_ids.shape[1])))
        if batch.decoder_ids.numel() > holds:
            raise error
        return model(batch)

    monkeypatch.setattr(encoder, "_model", forward)
    return shapes


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_shorter_embeddings_are_the_first_columns_of_both_halves(folder: Path, kind: str) -> None:
    def made(dim: int | None) -> Encoder:
        return OnnxEncoder(folder, threads=1, dim=dim) if kind == "onnx" else TorchEncoder(folder, dim=dim)

    whole, short = made(None), made(10)
    for rows, expected in (
        (short.encode_documents(TEXTS), whole.encode_documents(TEXTS)),
        (short.encode_queries(TEXTS), whole.encode_queries(TEXTS)),
    ):
        kept = np.concatenate([expected[:, :5], expected[:, 16:21]], axis=1)
        np.testing.assert_allclose(rows, kept / np.linalg.norm(kept, axis=1, keepdims=True), atol=1e-6)
    assert short.encode_documents([]).shape == (0, 10)
    assert (whole.fingerprint.dim, short.fingerprint.dim) == (32, 10)
    assert whole.fingerprint != short.fingerprint
    for wrong in (0, 5, 34, -2):
        with pytest.raises(InvalidConfig, match=f"dim is {wrong}; expected an even number from 2 to 32"):
            made(wrong)


def test_a_text_longer_in_the_other_tokenizer_is_cut_as_well() -> None:
    def letters(text: str) -> int:
        return len(text)

    tokenizer = HashEncoder().tokenizer
    text = "some words of several letters, " * 4
    pieces = windows(text, tokenizer=tokenizer, max_tokens=20, count=letters)
    assert all(len(piece) <= 20 for piece, _ in pieces)
    assert sum(count for _, count in pieces) == len(tokenizer.token_spans(text))
    assert "".join("".join(piece.split()) for piece, _ in pieces) == "".join(text.split())


def test_precisions_belong_to_runtimes(folder: Path) -> None:
    assert isinstance(load_encoder(folder, precision="bf16"), TorchEncoder)
    assert load_encoder(folder, precision="fp32").fingerprint.precision == "fp32"
    with pytest.raises(InvalidConfig, match="int8 is ONNX Runtime's"):
        load_encoder(folder, runtime="torch", precision="int8")
    with pytest.raises(InvalidConfig, match="bf16 is torch's"):
        load_encoder(folder, runtime="onnx", precision="bf16")
