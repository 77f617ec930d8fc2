"""Both sides instructed: documents are encoded as queries are, for tasks in which either text could be the query."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from c2vsearch.encoder.protocol import Encoder, Instructed, TokenCoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Fingerprint
from c2vsearch.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from c2vsearch.model.token_codec import TokenCodec


class SymmetricEncoder:
    """An encoder under one instruction, which is part of what makes its documents: the fingerprint has the prompt.

    Raises:
        InvalidConfig: The encoder has no prompts of its own to put an instruction into.
    """

    def __init__(self, encoder: Encoder, *, instruction: str) -> None:
        if not isinstance(encoder, Instructed):
            raise InvalidConfig(
                f"the model {encoder.fingerprint.name} cannot instruct documents, which this task does; expected a "
                "Causal2Vec or a sentence-transformers model, or a task that instructs queries alone"
            )
        self._encoder, self._instructed = encoder, encoder
        self._instruction = instruction
        self.max_tokens = encoder.max_tokens
        self.tokenizer = encoder.tokenizer

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """That of the encoder, with the prompt that documents stand behind."""
        prompt = self._instructed.query_prompt(self._instruction)
        return dataclasses.replace(self._encoder.fingerprint, document_prompt=prompt)

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> NDArray[np.float32]:
        """Shape: (Q, D). Without an instruction they get that of the documents."""
        return self._encoder.encode_queries(
            texts, instruction=self._instruction if instruction is None else instruction
        )

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape: (N, D)."""
        return self.encode_queries(texts)

    @property
    def token_codec(self) -> TokenCodec | None:
        """That of the encoder."""
        return self._encoder.token_codec if isinstance(self._encoder, TokenCoder) else None

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> NDArray[np.float32]:
        """Those of the encoder, which know no instruction. Shape: (T, K)."""
        return self._coder.encode_query_tokens(text)

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[bytes]]:
        """Shape: (N, D), and N. Two passes: token states know no instruction, the rows do."""
        return self.encode_documents(texts), self.encode_token_codes(texts)

    def encode_token_codes(self, texts: Sequence[str]) -> list[bytes]:
        """Those of the encoder."""
        return self._coder.encode_token_codes(texts)

    def coded_spans(self, text: str) -> list[tuple[int, int]]:
        """Those of the encoder."""
        return self._coder.coded_spans(text)

    @property
    def _coder(self) -> TokenCoder:
        if not isinstance(self._encoder, TokenCoder):
            raise InvalidConfig(
                f"the model {self._encoder.fingerprint.name} makes no token codes; expected one that does"
            )
        return self._encoder


def for_task(encoder: Encoder, task: Task | None) -> Encoder:
    """What encodes documents for a task: the encoder itself, unless the task is symmetric.

    Raises:
        InvalidConfig: The task is symmetric and the encoder cannot instruct documents.
    """
    return SymmetricEncoder(encoder, instruction=task.instruction) if task and task.symmetric else encoder


def made_for(encoder: Encoder, task: Task | None) -> Fingerprint:
    """What makes documents for a task. An encoder that cannot instruct them made none of a symmetric one."""
    able = task is not None and task.symmetric and isinstance(encoder, Instructed)
    return for_task(encoder, task).fingerprint if able else encoder.fingerprint
