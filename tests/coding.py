"""The fake encoder with codes: bytes of each text that any test can make again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from c2vsearch.encoder import HashEncoder


def code_of(text: str, *, identity: str = "words-1") -> bytes:
    """As long as the text has words, at 24 bytes each; none of a text without."""
    words = text.split()
    return b"".join(hashlib.blake2b(f"{identity} {word}".encode(), digest_size=24).digest() for word in words)


class WordCodec:
    """The more words a text has, the better."""

    parts = 24

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def similarities(self, query: np.ndarray, codes: Sequence[bytes]) -> list[float]:
        return [len(each) / self.parts / (1 + len(query)) for each in codes]


class CodingEncoder(HashEncoder):
    """Counts the texts it encoded with codes, and those without. An ``identity`` of "" is a model without a codec."""

    def __init__(self, *, dim: int = 16, identity: str = "words-1", stop_after: int | None = None) -> None:
        super().__init__(dim=dim)
        self.token_codec = WordCodec(identity) if identity else None
        self.coded: list[str] = []
        self.plain: list[str] = []
        self.stop_after = stop_after

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.plain += texts
        return super().encode_documents(texts)

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[np.ndarray, list[bytes]]:
        assert self.token_codec is not None
        if self.stop_after is not None and len(self.coded) + len(texts) > self.stop_after:
            raise KeyboardInterrupt
        self.coded += texts
        return super().encode_documents(texts), [code_of(text, identity=self.token_codec.identity) for text in texts]

    def encode_token_codes(self, texts: Sequence[str]) -> list[bytes]:
        assert self.token_codec is not None
        return [code_of(text, identity=self.token_codec.identity) for text in texts]

    def coded_spans(self, text: str) -> list[tuple[int, int]]:
        return self.tokenizer.token_spans(text)

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> np.ndarray:
        return self.encode_queries(text.split())

    def query_prompt(self, instruction: str | None) -> str:
        """For tasks that instruct documents; the hash of words knows no difference."""
        return f"{instruction}: "
