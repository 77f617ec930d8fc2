"""Causal2Vec on torch: any model folder, CPU or GPU, float32 or bfloat16.

Texts are sorted by length and batched by the tokens a batch fills, padding included, so that a batch of long texts is
as large on the device as one of short texts. A batch the device cannot hold is halved and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.token_codes import coded_windows, joined_codes, spans_of_windows
from c2vsearch.encoder.torch_codec import TorchCodec
from c2vsearch.encoder.windows import in_windows, merged, pieces
from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.model.checkpoint import load, revision
from c2vsearch.model.profile import SearchProfile, read_profile
from c2vsearch.model.spec import ModelSpec, read_spec
from c2vsearch.model.token_codec import TokenCodec, needed_codec, read_codec
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from c2vsearch.model.truncation import truncate, unit_rows
from c2vsearch.model.weights import stored_dtype
from c2vsearch.optional import require
from c2vsearch.records import Fingerprint

if TYPE_CHECKING:
    import torch

    from c2vsearch.model.causal2vec import Batch

PRECISIONS = ("auto", "fp32", "bf16")
BATCH_TOKENS = {"cpu": 4096, "cuda": 32768}
Rows = NDArray[np.float32]
Result = TypeVar("Result")


class TorchEncoder:
    """A model folder on torch.

    Rows do not depend on batch or padding beyond rounding: 1e-6 in float32, 1e-2 in bfloat16.

    Args:
        folder: The model.
        device: "auto" is CUDA where torch sees a device.
        precision: "auto" is bfloat16 for weights stored so on a CUDA device, float32 otherwise.
        batch_tokens: Tokens a batch fills, padding included; by default what suits the device.
        dim: Shorter embeddings, for models trained for it.
    """

    def __init__(
        self, folder: Path, *, device: str = "auto", precision: str = "auto", batch_tokens: int | None = None,
        dim: int | None = None,
    ) -> None:  # fmt: skip
        require("torch", extra="torch", purpose="the torch runtime of the model")
        require("transformers", extra="torch", purpose="the torch runtime of the model")
        if batch_tokens is not None and batch_tokens < 1:
            raise InvalidConfig(f"batch_tokens is {batch_tokens}; expected at least 1")
        self.device = _device(device)
        self.precision = _precision(precision, folder, self.device)
        self.spec: ModelSpec = read_spec(folder)
        self.dim = self.spec.checked_dim(dim)
        self.tokenizer = TextTokenizer.open(folder, self.spec)
        self.max_tokens = self.spec.max_tokens
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(self.device.partition(":")[0], BATCH_TOKENS["cpu"])
        self._model = _on_device(folder, self.device, self.precision)
        self._folder = folder
        self._fingerprint: Fingerprint | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """What made these vectors; hashing the weights takes a moment, so it is done when it is asked for."""
        if self._fingerprint is None:
            self._fingerprint = self.spec.fingerprint(revision(self._folder), dim=self.dim, precision=self.precision)
        return self._fingerprint

    @cached_property
    def profile(self) -> SearchProfile:
        """What searching with the model was found to need."""
        return read_profile(self._folder)

    @cached_property
    def token_codec(self) -> TokenCodec | None:
        """What codes token states; None where the model has no codec."""
        return read_codec(self._folder, self.spec)

    def query_prompt(self, instruction: str | None) -> str:
        """What stands before a query in the decoder's sequence."""
        return self.spec.instruction(instruction)

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> Rows:
        """Shape: (Q, D)."""
        return self._encode(texts, self.query_prompt(instruction))

    def encode_documents(self, texts: Sequence[str]) -> Rows:
        """Shape: (N, D)."""
        return self._encode(texts, self.spec.document_template)

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> Rows:
        """Unit rows of the encoder's token states; the encoder reads no instruction. Shape: (T, K)."""
        return self.encode_document_tokens([text])[0]

    def encode_document_tokens(self, texts: Sequence[str]) -> list[Rows]:
        """Unit rows of the encoder's token states, special tokens included, of at most ``max_tokens`` tokens."""
        tokenized = [text.clipped(self.max_tokens) for text in self.tokenizer.tokenize(texts)]
        return self._batched(tokenized, self._token_states)

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[Rows, list[bytes]]:
        """Shape: (N, D), and N."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32), []
        codec, groups = needed_codec(self.token_codec, self.spec.name), self._in_windows(texts)
        coder = TorchCodec(codec, device=self.device)

        def both(batch: Batch) -> list[tuple[Rows, bytes]]:
            states = self._model.states(batch)
            rows = self._model.pool(states).cpu().numpy()
            return list(zip(rows, coder.encode(states.encoder_states, batch), strict=True))

        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=self.spec.document_template)
        found = self._batched(tokenized, both)
        rows = truncate(merged(np.stack([row for row, _ in found]), groups), self.dim, parts=self.spec.parts)
        return rows, joined_codes(codec, [codes for _, codes in found], groups)

    def encode_token_codes(self, texts: Sequence[str]) -> list[bytes]:
        """One a text."""
        codec, groups = needed_codec(self.token_codec, self.spec.name), coded_windows(self._in_windows(texts))
        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=self.spec.document_template)
        coder = TorchCodec(codec, device=self.device)

        def code(batch: Batch) -> list[bytes]:
            return coder.encode(self._encoder_states(batch), batch)

        return joined_codes(codec, self._batched(tokenized, code), groups)

    def coded_spans(self, text: str) -> list[tuple[int, int]]:
        """One span a token with a code, an empty one for special tokens."""
        windows = pieces(coded_windows(self._in_windows([text])))
        return spans_of_windows(text, windows, spans=self.tokenizer.state_spans)

    def _encode(self, texts: Sequence[str], instruction: str) -> Rows:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        groups = self._in_windows(texts)
        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=instruction)
        found = self._batched(tokenized, self._embeddings)
        rows = merged(np.stack(found), groups)
        return truncate(rows, self.dim, parts=self.spec.parts)

    def _in_windows(self, texts: Sequence[str]) -> list[list[tuple[str, int]]]:
        count = None if self.tokenizer.shared else self.tokenizer.text_tokens
        return in_windows(texts, tokenizer=self.tokenizer, max_tokens=self.spec.window, count=count)

    def _batched(self, texts: Sequence[TokenizedText], forward: Callable[[Batch], list[Result]]) -> list[Result]:
        """One result a text, in order. Longest first, so that what does not fit shows at once."""
        results: dict[int, Result] = {}
        waiting = sorted(range(len(texts)), key=lambda index: -_length(texts[index]))
        while waiting:
            longest = _length(texts[waiting[0]])
            count = max(1, min(len(waiting), self.batch_tokens // longest))
            batch = self._run([texts[index] for index in waiting[:count]], forward)
            if batch is None:
                self._shrink(count, longest)
                continue
            results.update(zip(waiting[:count], batch, strict=True))
            waiting = waiting[count:]
        return [results[index] for index in range(len(texts))]

    def _run(self, texts: Sequence[TokenizedText], forward: Callable[[Batch], list[Result]]) -> list[Result] | None:
        """One batch; None when the device cannot hold it."""
        import torch

        from c2vsearch.model.batch import collate

        try:
            with torch.inference_mode():
                return forward(collate(texts).to(self.device))
        except torch.OutOfMemoryError:
            return None  # outside of here nothing refers to the batch any more, so that its memory can be given back

    def _embeddings(self, batch: Batch) -> list[Rows]:
        return list(self._model(batch).cpu().numpy())

    def _token_states(self, batch: Batch) -> list[Rows]:
        states, lengths = self._encoder_states(batch).float().cpu().numpy(), batch.encoder_mask.sum(dim=1).tolist()
        return [unit_rows(row[:length]) for row, length in zip(states, lengths, strict=True)]

    def _encoder_states(self, batch: Batch) -> torch.Tensor:
        """Shape: (B, T_e, K)."""
        encoded = self._model.encoder(input_ids=batch.encoder_ids, attention_mask=batch.encoder_mask)
        states: torch.Tensor = encoded.last_hidden_state
        return states

    def _shrink(self, count: int, longest: int) -> None:
        import torch

        if count == 1:
            raise OutOfDeviceMemory(
                f"{self.device} cannot hold one text of {longest} tokens beside the model in {self.precision}; lower "
                "--max-tokens, take precision bf16, or device cpu"
            )
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        self.batch_tokens = count // 2 * longest


def _length(text: TokenizedText) -> int:
    return max(len(text.encoder), text.decoder_length)


def _device(device: str) -> str:
    import torch

    available = torch.cuda.is_available()
    if device.startswith("cuda") and not available:
        raise InvalidConfig(f"device is {device!r} and torch sees no CUDA device; run `c2vsearch doctor`")
    return ("cuda" if available else "cpu") if device == "auto" else device


def _precision(precision: str, folder: Path, device: str) -> str:
    if precision not in PRECISIONS:
        raise InvalidConfig(
            f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)} on torch (int8 is ONNX Runtime's)"
        )
    if precision != "auto":
        return precision
    return "bf16" if device.startswith("cuda") and stored_dtype(folder) == "BF16" else "fp32"


def _on_device(folder: Path, device: str, precision: str) -> Any:
    import torch

    dtype: torch.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    try:
        return load(folder, dtype=dtype).to(device)
    except torch.OutOfMemoryError as error:
        raise OutOfDeviceMemory(
            f"{device} cannot hold the model in {precision}; take precision bf16, or device cpu"
        ) from error
