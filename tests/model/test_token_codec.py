"""Codes of token states against brute force and loops; their file; the runtimes that make them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import load_encoder
from c2vsearch.encoder import TokenCoder
from c2vsearch.encoder.token_codes import coded_windows
from c2vsearch.encoder.windows import in_windows, pieces
from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.model.checkpoint import find_model
from c2vsearch.model.spec import read_spec
from c2vsearch.model.token_codec import CENTROIDS, CODEC_FILE, TOKENS_CODED, TokenCodec, read_codec
from c2vsearch.model.truncation import unit_rows
from c2vsearch.training.token_codec import LEAST_STATES, fit_token_codec

GENERATOR = np.random.default_rng(3)
LONG = " ".join(f"The ferry number {number} leaves the northern pier at nine." for number in range(60))
TEXTS = ["The ferry leaves at nine.", "x", "", LONG, "Tickets are sold on board, in cash alone. " * 12]


def drawn(rows: int, width: int = 24) -> np.ndarray:
    """Unit rows with a part that all have in common."""
    return unit_rows(GENERATOR.standard_normal((rows, width)).astype(np.float32) + 2.0)


@pytest.fixture(scope="module")
def codec() -> TokenCodec:
    rotation = np.linalg.qr(GENERATOR.standard_normal((24, 24)))[0].astype(np.float32)
    centroids = GENERATOR.standard_normal((6, CENTROIDS, 4)).astype(np.float32) / 5
    return TokenCodec(np.full(24, 0.2, dtype=np.float32), rotation, centroids)


def test_each_part_is_told_by_the_nearest_centroid(codec: TokenCodec) -> None:
    states = drawn(40)
    codes = np.frombuffer(codec.encode(states), dtype=np.uint8).reshape(40, 6)
    for state, row in zip(codec.rotated(states), codes, strict=True):
        for part, code in enumerate(row):
            distances = [float(((state[4 * part : 4 * part + 4] - c) ** 2).sum()) for c in codec.centroids[part]]
            assert distances[code] == pytest.approx(min(distances), abs=1e-6)


def test_similarities_are_those_of_the_decoded_rows(codec: TokenCodec) -> None:
    query = drawn(5)
    texts = [codec.encode(drawn(rows)) for rows in (1, 7, 30)]
    expected = []
    for codes in texts:
        best = [max(float(q @ d) for d in codec.decode(codes)) for q in codec.rotated(query)]
        expected.append(sum(best) / len(best))
    assert codec.similarities(query, texts) == pytest.approx(expected, abs=1e-5)
    assert codec.similarities(query, [texts[0], b"", texts[2]]) == pytest.approx(
        [expected[0], -1.0, expected[2]], abs=1e-5
    )
    assert codec.similarities(query, []) == []
    assert codec.similarities(query, [b""]) == codec.similarities(query[:0], texts[:1]) == [-1.0]


def test_a_fitted_codec_keeps_what_random_centroids_lose(codec: TokenCodec) -> None:
    states = unit_rows(drawn(LEAST_STATES + 500) @ np.diag(np.geomspace(4, 0.2, 24)).astype(np.float32))
    fitted = fit_token_codec(states[:LEAST_STATES], parts=6)
    held_out = states[LEAST_STATES:]
    kept = [float((c.decode(c.encode(held_out)) * c.rotated(held_out)).sum(axis=1).mean()) for c in (fitted, codec)]
    assert kept[0] > 0.95 > kept[1]
    assert np.allclose(fitted.rotation @ fitted.rotation.T, np.eye(24), atol=2e-3)
    with pytest.raises(InvalidConfig, match=r"expected 9,984 or more, of a multiple of 7"):
        fit_token_codec(states, parts=7)
    with pytest.raises(InvalidConfig, match=r"states of shape \(5, 24\)"):
        fit_token_codec(states[:5], parts=6)


def test_what_is_saved_is_read_back(codec: TokenCodec, tmp_path: Path) -> None:
    spec = read_spec(find_model("c2v-mini"))
    narrow = dataclasses.replace(spec, encoder={**spec.encoder, "hidden_size": 24}, projector_residual=False)
    assert read_codec(tmp_path, narrow) is None
    rounded = TokenCodec(
        codec.mean, *(part.astype(np.float16).astype(np.float32) for part in (codec.rotation, codec.centroids))
    )
    codec.save(tmp_path)
    found = read_codec(tmp_path, narrow)
    assert found is not None
    assert found.identity == rounded.identity != codec.identity
    with pytest.raises(CorruptFile, match=r"codes states of 24 numbers; the model's have 384"):
        read_codec(tmp_path, spec)
    data = (tmp_path / CODEC_FILE).read_bytes()
    for damaged in (b"", b"no archive", data[: len(data) // 2], data[:300] + bytes(200) + data[500:]):
        (tmp_path / CODEC_FILE).write_bytes(damaged)
        with pytest.raises(CorruptFile, match=r"token_codec\.npz cannot be read"):
            read_codec(tmp_path, narrow)


@pytest.mark.parametrize(
    ("shapes", "told"),
    [(((4,), (4, 4), (2, 256, 3)), "shapes"), (((4,), (4, 3), (2, 256, 2)), "shapes"), (((4,), (4, 4), (2, 8, 2)), "")],
)
def test_a_codec_whose_parts_do_not_fit_is_refused(shapes: tuple[tuple[int, ...], ...], told: str) -> None:
    with pytest.raises(CorruptFile, match=f"a token codec of {told}"):
        TokenCodec(*(np.zeros(shape, dtype=np.float32) for shape in shapes))


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(CorruptFile, match="not finite"):
        TokenCodec(np.full(4, np.nan, np.float32), np.eye(4, dtype=np.float32), np.zeros((2, 256, 2), np.float32))


@pytest.mark.parametrize(("precision", "device"), [("int8", "cpu"), ("fp32", "cpu"), ("fp32", "torch")])
def test_codes_come_with_the_same_rows_and_by_themselves(precision: str, device: str) -> None:
    encoder = load_encoder(precision=precision) if device == "cpu" else torch_encoder()
    assert isinstance(encoder, TokenCoder)
    rows, codes = encoder.encode_documents_with_codes(TEXTS)
    tolerance = 1e-6 if device == "torch" else 0.0
    assert np.abs(rows - encoder.encode_documents(TEXTS)).max() <= tolerance
    assert encoder.encode_token_codes(TEXTS) == codes
    assert encoder.encode_documents_with_codes([])[1] == []
    codec = encoder.token_codec
    assert codec is not None
    # The states of the windows, one after the other, as `encode_document_tokens` gives them.
    groups = in_windows(TEXTS, tokenizer=encoder.tokenizer, max_tokens=encoder.spec.window)
    for group, found in zip(coded_windows(groups), codes, strict=True):
        states = np.concatenate(encoder.encode_document_tokens(pieces([group])))[:TOKENS_CODED]
        expected = np.frombuffer(codec.encode(states), dtype=np.uint8)
        same = np.frombuffer(found, dtype=np.uint8) == expected
        assert same.mean() > (0.99 if device == "torch" else 0.9999)  # padding moves the last digits


@pytest.mark.parametrize("text", TEXTS)
def test_every_code_stands_somewhere(text: str) -> None:
    encoder = load_encoder()
    [codes] = encoder.encode_token_codes([text])
    spans = encoder.coded_spans(text)
    assert len(spans) == len(codes) // encoder.token_codec.parts
    told = [span for span in spans if span[0] < span[1]]
    assert told == sorted(told)
    # Nothing but space stands between the tokens, and special tokens are two a window.
    read = "".join(text[slice(*span)] for span in told)
    assert read == "".join(text[: told[-1][1] if told else 0].split())
    windows = coded_windows(in_windows([text], tokenizer=encoder.tokenizer, max_tokens=encoder.spec.window))[0]
    whole = len(spans) < TOKENS_CODED
    assert len(spans) - len(told) == 2 * len(windows) - (not whole)


def torch_encoder():
    from c2vsearch.encoder.torch_runtime import TorchEncoder

    return TorchEncoder(find_model("c2v-mini"), device="cpu")


def test_of_a_long_text_the_first_tokens_are_coded() -> None:
    encoder = load_encoder()
    [codes] = encoder.encode_token_codes([LONG])
    assert len(codes) == TOKENS_CODED * encoder.token_codec.parts


def test_a_model_without_a_codec_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(find_model("c2v-mini"), folder)
    (folder / CODEC_FILE).unlink(missing_ok=True)
    encoder = load_encoder(folder)
    assert encoder.token_codec is None
    with pytest.raises(InvalidConfig, match=r"has no token_codec\.npz"):
        encoder.encode_token_codes(["x"])
