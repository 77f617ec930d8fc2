"""Causal2Vec on torch: any model folder, CPU or GPU, float32 or bfloat16. Padded batches, sorted by length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.windows import encode_in_windows
from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.model.checkpoint import load, revision
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from c2vsearch.optional import require
from c2vsearch.records import Fingerprint

Rows = NDArray[np.float32]


class TorchEncoder:
    """A model folder on torch. Rows do not depend on batch or padding beyond float rounding (1e-6 in float32)."""

    def __init__(self, folder: Path, *, device: str = "auto", batch_size: int = 32) -> None:
        torch = require("torch", extra="torch", purpose="the torch runtime of the model")
        require("transformers", extra="torch", purpose="the torch runtime of the model")
        available = torch.cuda.is_available()
        if device.startswith("cuda") and not available:
            raise InvalidConfig(f"device is {device!r} and torch sees no CUDA device; run `c2vsearch doctor`")
        self.device = ("cuda" if available else "cpu") if device == "auto" else device
        self._model = load(folder).to(self.device)
        self.spec = self._model.spec
        self.tokenizer = TextTokenizer.open(folder, self.spec)
        self.max_tokens = self.spec.max_tokens
        self._batch_size = batch_size
        self.fingerprint = Fingerprint(
            name=self.spec.name,
            revision=revision(folder),
            dim=self.spec.dim,
            pooling=self.spec.pooling,
            document_prompt=self.spec.document_template,
            precision="fp32",
        )

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> Rows:
        """Shape: (Q, D)."""
        return self._encode(texts, self.spec.instruction(instruction))

    def encode_documents(self, texts: Sequence[str]) -> Rows:
        """Shape: (N, D)."""
        return self._encode(texts, self.spec.document_template)

    def _encode(self, texts: Sequence[str], instruction: str) -> Rows:
        if not texts:
            return np.empty((0, self.spec.dim), dtype=np.float32)

        def encode(pieces: list[str]) -> Rows:
            return self._rows(self.tokenizer.tokenize(pieces, instruction=instruction))

        return encode_in_windows(texts, encode, tokenizer=self.tokenizer, max_tokens=self.max_tokens)

    def _rows(self, texts: Sequence[TokenizedText]) -> Rows:
        import torch

        from c2vsearch.model.batch import collate

        rows = np.empty((len(texts), self.spec.dim), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda index: texts[index].decoder_length)
        with torch.inference_mode():
            for start in range(0, len(texts), self._batch_size):
                chosen = by_length[start : start + self._batch_size]
                try:
                    rows[chosen] = self._model(collate([texts[i] for i in chosen]).to(self.device)).cpu().numpy()
                except torch.cuda.OutOfMemoryError as error:
                    raise OutOfDeviceMemory(
                        f"{self.device} cannot hold a batch of {len(chosen)} texts; use a smaller batch_size"
                    ) from error
        return rows
