"""Chunks to vectors: what was embedded before is found by its hash, the rest is encoded, each hash once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Encoder
from c2vsearch.records import Chunk

Reuse = Callable[[Collection[str]], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of some chunks, in their order. Shape: rows (N, D). ``encoded`` and ``reused`` add up to N."""

    rows: NDArray[np.float32]
    encoded: int
    reused: int
    tokens: int


def embed_chunks(chunks: Sequence[Chunk], *, encoder: Encoder, reuse: Reuse) -> Embedded:
    """Embed chunks as documents.

    Args:
        chunks: N chunks.
        encoder: What encodes ``chunk.embedded_text``.
        reuse: Vectors that exist already, by ``chunk.hash``.

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
    rows = encoder.encode_documents([chunk.embedded_text for chunk in ordered])
    vectors.update(zip((chunk.hash for chunk in ordered), rows, strict=True))
    stacked = np.stack([vectors[chunk.hash] for chunk in chunks]) if chunks else rows
    return Embedded(stacked, len(ordered), len(chunks) - len(ordered), sum(chunk.tokens for chunk in ordered))
