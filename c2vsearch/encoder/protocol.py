"""What the rest of the house asks of an encoder. Anything with these methods will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from c2vsearch.model.profile import SearchProfile
from c2vsearch.records import Fingerprint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from c2vsearch.model.token_codec import TokenCodec


class Tokenizer(Protocol):
    """Where the tokens of a text stand, special tokens left out."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans ``(start, end)`` of the tokens, in order."""


@runtime_checkable
class Encoder(Protocol):
    """Queries and documents to unit rows of D float32 numbers.

    A row depends on its text alone, not on its neighbours or their order, within the stated tolerance of
    the runtime. A text longer than the model reads well is never silently cut: it is encoded in windows, whose
    rows are averaged and normalised again (`c2vsearch.encoder.windows`).
    """

    @property
    def fingerprint(self) -> Fingerprint:
        """What made these vectors."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that fit one forward pass."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that ``max_tokens`` counts with."""

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> NDArray[np.float32]:
        """Encode queries, each behind its instruction.

        Args:
            texts: Q queries.
            instruction: What the search is for, in words; None is the model's default task.

        Shape: (Q, D).
        """

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode documents, without an instruction. Shape: (N, D)."""


@runtime_checkable
class Instructed(Protocol):
    """An encoder that knows what stands before a query, so that it can stand before documents as well."""

    def query_prompt(self, instruction: str | None) -> str:
        """What the model reads before a query with that instruction."""


@runtime_checkable
class Profiled(Protocol):
    """An encoder that knows what searching with it was found to need."""

    @property
    def profile(self) -> SearchProfile:
        """Measured with the model."""


@runtime_checkable
class TokenEncoder(Protocol):
    """An encoder that also gives a vector for each token, for late interaction."""

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> NDArray[np.float32]:
        """Unit rows for the tokens of one query. Shape: (T, K)."""

    def encode_document_tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Unit rows for the tokens of each document. Shape: N arrays (T_i, K)."""


@runtime_checkable
class TokenCoder(Protocol):
    """An encoder whose token states can be stored in a few bytes each (`c2vsearch.model.token_codec`)."""

    @property
    def token_codec(self) -> TokenCodec | None:
        """What makes the bytes; None where the model has no codec."""

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> NDArray[np.float32]:
        """As a `TokenEncoder` does."""

    def encode_documents_with_codes(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[bytes]]:
        """What `Encoder.encode_documents` gives, and the codes of each text's tokens, in one pass. Also of no texts.

        Shape: (N, D), N.
        """

    def encode_token_codes(self, texts: Sequence[str]) -> list[bytes]:
        """The codes alone: the same bytes."""

    def coded_spans(self, text: str) -> list[tuple[int, int]]:
        """Where in a text each token stands that has a code; spans of special tokens are empty."""


def codec_identity(encoder: Encoder) -> str:
    """What the codes of an encoder are known by; "" for one that makes none.

    >>> from c2vsearch.encoder import HashEncoder
    >>> codec_identity(HashEncoder())
    ''
    """
    codec = encoder.token_codec if isinstance(encoder, TokenCoder) else None
    return codec.identity if codec is not None else ""
