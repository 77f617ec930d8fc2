"""Causal2Vec on ONNX Runtime: a CPU, no torch. One text a run, several runs side by side.

A run of one text needs no padding and makes its row independent of every other text, bit for bit, although
activations are quantised with one scale per tensor. The cores are used by running texts in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.token_codes import coded_windows, joined_codes, spans_of_windows
from c2vsearch.encoder.windows import in_windows, merged, pieces
from c2vsearch.errors import CorruptFile, InvalidConfig, ModelNotFound
from c2vsearch.model.checkpoint import graph_path, revision
from c2vsearch.model.profile import SearchProfile, read_profile
from c2vsearch.model.spec import read_spec
from c2vsearch.model.token_codec import TokenCodec, needed_codec, read_codec
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from c2vsearch.model.truncation import truncate, unit_rows
from c2vsearch.optional import require
from c2vsearch.records import Fingerprint

PRECISIONS = ("int8", "fp32")
Rows = NDArray[np.float32]
Result = TypeVar("Result")
CODED_TOGETHER = 256  # windows whose states, of up to 200 kB, are in memory at a time


class OnnxEncoder:
    """An exported model folder on ONNX Runtime.

    ``precision`` "int8" is fast; "fp32" agrees with the torch runtime to 1e-5. Rows of the two have a
    cosine of 0.99 and more to each other. ``dim`` shortens embeddings, for models trained for it.
    """

    def __init__(self, folder: Path, *, precision: str = "int8", threads: int, dim: int | None = None) -> None:
        if precision not in PRECISIONS:
            raise InvalidConfig(f"precision is {precision!r}; expected int8 or fp32 on ONNX Runtime (bf16 is torch's)")
        graph = graph_path(folder, precision)
        if not graph.is_file():
            raise ModelNotFound(f"{folder} has no {graph.name}; export the model, or use the torch runtime")
        self.spec = read_spec(folder)
        self.dim = self.spec.checked_dim(dim)
        self.tokenizer = TextTokenizer.open(folder, self.spec)
        self.max_tokens = self.spec.max_tokens
        self.precision = precision
        self._folder = folder
        self._fingerprint: Fingerprint | None = None
        self._threads = threads
        self._session = _session(graph)

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
        return self._run(tokenized, unit_rows, outputs=["encoder_states"], session=self._states)

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[Rows, list[bytes]]:
        """Shape: (N, D), and N."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32), []
        codec, groups = needed_codec(self.token_codec, self.spec.name), self._in_windows(texts)
        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=self.spec.document_template)
        rows: list[Rows] = []
        codes: list[bytes] = []
        for start in range(0, len(tokenized), CODED_TOGETHER):
            part = tokenized[start : start + CODED_TOGETHER]
            found = self._run(part, _both, outputs=["embedding", "encoder_states"], session=self._session)
            rows += [row for row, _ in found]
            codes += codec.encode_all([unit_rows(states) for _, states in found])
        whole = truncate(merged(np.concatenate(rows), groups), self.dim, parts=self.spec.parts)
        return whole, joined_codes(codec, codes, groups)

    def encode_token_codes(self, texts: Sequence[str]) -> list[bytes]:
        """One a text."""
        codec, groups = needed_codec(self.token_codec, self.spec.name), coded_windows(self._in_windows(texts))
        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=self.spec.document_template)
        states = self._run(tokenized, unit_rows, outputs=["encoder_states"], session=self._states)
        return joined_codes(codec, codec.encode_all(states), groups)

    def coded_spans(self, text: str) -> list[tuple[int, int]]:
        """One span a token with a code, an empty one for special tokens."""
        windows = pieces(coded_windows(self._in_windows([text])))
        return spans_of_windows(text, windows, spans=self.tokenizer.state_spans)

    @cached_property
    def _states(self) -> Any:
        """The encoder alone; models that were exported before there was a graph of it take the whole."""
        graph = graph_path(self._folder, self.precision, states=True)
        return _session(graph) if graph.is_file() else self._session

    def _encode(self, texts: Sequence[str], instruction: str) -> Rows:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)

        groups = self._in_windows(texts)
        tokenized = self.tokenizer.tokenize(pieces(groups), instruction=instruction)
        rows = merged(np.concatenate(self._run(tokenized, _same, outputs=["embedding"], session=self._session)), groups)
        return truncate(rows, self.dim, parts=self.spec.parts)

    def _in_windows(self, texts: Sequence[str]) -> list[list[tuple[str, int]]]:
        count = None if self.tokenizer.shared else self.tokenizer.text_tokens
        return in_windows(texts, tokenizer=self.tokenizer, max_tokens=self.spec.window, count=count)

    def _run(
        self, texts: Sequence[TokenizedText], result: Callable[..., Result], *, outputs: list[str], session: Any
    ) -> list[Result]:
        """What is made of the outputs for each text, several texts at a time."""
        names = {each.name for each in session.get_inputs()}

        def run(text: TokenizedText) -> Result:
            ids = {"encoder_ids": text.encoder, "before_ids": text.before, "after_ids": text.after}
            inputs = {name: np.array(values, dtype=np.int64) for name, values in ids.items() if name in names}
            return result(*session.run(outputs, inputs))

        if len(texts) == 1 or self._threads == 1:
            return [run(text) for text in texts]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(run, texts))


def _same(rows: Rows) -> Rows:
    return rows


def _both(rows: Rows, states: Rows) -> tuple[Rows, Rows]:
    return rows, states


def _session(graph: Path) -> Any:
    runtime = require("onnxruntime", extra="cpu", purpose="the CPU runtime of the model")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # texts run side by side instead
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Weights that are multiplied in float32, all or those of a few layers, are dequantised once, at load.
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # else it is done at every run
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no base class
        raise CorruptFile(f"{graph} cannot be loaded: {error}") from error
