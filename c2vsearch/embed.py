"""Chunks to vectors: what was embedded before is found by its hash, the rest is encoded, each hash once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Encoder, TokenCoder, codec_identity
from c2vsearch.records import Chunk

Reuse = Callable[[Collection[str]], dict[str, NDArray[np.float32]]]
ReuseCodes = Callable[[Collection[str]], dict[str, bytes]]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of some chunks, in their order. Shape: rows (N, D). ``encoded`` and ``reused`` add up to N.

    ``codes`` are those of each chunk's token states, None where there are none.
    """

    rows: NDArray[np.float32]
    encoded: int
    reused: int
    tokens: int
    codes: list[bytes | None]


def embed_chunks(
    chunks: Sequence[Chunk],
    *,
    encoder: Encoder,
    reuse: Reuse,
    reuse_codes: ReuseCodes | None = None,
    codes: bool = False,
) -> Embedded:
    """Embed chunks as documents.

    Args:
        chunks: N chunks.
        encoder: What encodes ``chunk.embedded_text``.
        reuse: Vectors that exist already, by ``chunk.hash``.
        reuse_codes: Codes that exist already, in the same way. A chunk with a vector and without codes gets none.
        codes: Whether codes are wanted; an encoder that makes some gives them in the same pass.

    >>> from c2vsearch.encoder import HashEncoder
    >>> chunk = Chunk(id="1", doc_id="d", source="a", start=0, end=2, text="hi", start_line=1, end_line=1, hash="h")
    >>> embedded = embed_chunks([chunk, chunk], encoder=HashEncoder(), reuse=lambda hashes: {})
    >>> embedded.rows.shape, embedded.encoded, embedded.reused
    ((2, 64), 1, 1)
    """
    vectors = reuse({chunk.hash for chunk in chunks})
    fresh = {chunk.hash: chunk for chunk in chunks if chunk.hash not in vectors}
    # Texts of like length run side by side, so that no core waits for the other's long one.
    ordered = sorted(fresh.values(), key=lambda chunk: -chunk.tokens)
    rows, made = _encoded([chunk.embedded_text for chunk in ordered], encoder, codes=codes)
    vectors.update(zip((chunk.hash for chunk in ordered), rows, strict=True))
    known = reuse_codes({chunk.hash for chunk in chunks} - set(fresh)) if codes and reuse_codes else {}
    known.update(zip((chunk.hash for chunk in ordered), made, strict=bool(made)))
    stacked = np.stack([vectors[chunk.hash] for chunk in chunks]) if chunks else rows
    tokens = sum(chunk.tokens for chunk in ordered)
    found = [known.get(chunk.hash) for chunk in chunks]
    return Embedded(stacked, len(ordered), len(chunks) - len(ordered), tokens, found)


def _encoded(texts: Sequence[str], encoder: Encoder, *, codes: bool) -> tuple[NDArray[np.float32], list[bytes]]:
    """Rows, and codes if the encoder makes some; else an empty list."""
    if codes and isinstance(encoder, TokenCoder) and codec_identity(encoder):
        return encoder.encode_documents_with_codes(texts)
    return encoder.encode_documents(texts), []
