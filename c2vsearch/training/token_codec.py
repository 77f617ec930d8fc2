"""A codec of token states, fitted to the states of texts like those that will be searched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.token_codec import CENTROIDS, TokenCodec
from c2vsearch.model.truncation import unit_rows
from c2vsearch.optional import require

PARTS = 16  # bytes of a token: docs/benchmarks.md, "Token codes"
TURNS = 25
STATES_USED = 100_000
LEAST_STATES = 39 * CENTROIDS  # fewer leave centroids to chance


def fit_token_codec(states: NDArray[np.float32], *, parts: int = PARTS, seed: int = 7) -> TokenCodec:
    """Optimised product quantisation (Ge et al., CVPR 2013) of centred states, by FAISS.

    Args:
        states: Unit rows of token states of many texts. Shape: (T, K).
        parts: Bytes of a token; K has to be a multiple.
        seed: Which states are used, where there are more than needed.

    Raises:
        InvalidConfig: Too few states, or a width that ``parts`` does not divide.
        MissingDependency: FAISS is not installed.
    """
    if states.ndim != 2 or len(states) < LEAST_STATES or states.shape[1] % parts:
        raise InvalidConfig(
            f"states of shape {states.shape}; expected {LEAST_STATES:,} or more, of a multiple of {parts} numbers each"
        )
    faiss = require("faiss", extra="cpu", purpose="a codec of token states")
    chosen = np.random.default_rng(seed).permutation(len(states))[:STATES_USED]
    mean = states.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows, width = unit_rows(states[chosen] - mean), states.shape[1]
    turning = faiss.OPQMatrix(width, parts)
    turning.niter = TURNS
    turning.train(rows)
    rotation = faiss.vector_to_array(turning.A).reshape(width, width).T
    quantizer = faiss.ProductQuantizer(width, parts, 8)
    quantizer.train(np.ascontiguousarray(rows @ rotation))
    centroids = faiss.vector_to_array(quantizer.centroids).reshape(parts, CENTROIDS, width // parts)
    return TokenCodec(mean, _as_stored(rotation), _as_stored(centroids))


def _as_stored(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounded as in the file, so that the codec that is read back is this one."""
    return np.ascontiguousarray(numbers.astype(np.float16).astype(np.float32))
