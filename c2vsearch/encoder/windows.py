"""Texts longer than the model reads: cut into windows at token edges, never dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Tokenizer

Rows = NDArray[np.float32]


def windows(text: str, *, tokenizer: Tokenizer, max_tokens: int) -> list[tuple[str, int]]:
    """Pieces of at most ``max_tokens`` tokens with their token counts; together they hold every token.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> windows("one two three", tokenizer=WordTokenizer(), max_tokens=2)
    [('one two', 2), ('three', 1)]
    """
    spans = tokenizer.token_spans(text)
    if len(spans) <= max_tokens:
        return [(text, max(1, len(spans)))]
    starts = range(0, len(spans), max_tokens)
    groups = [spans[start : start + max_tokens] for start in starts]
    return [(text[group[0][0] : group[-1][1]], len(group)) for group in groups]


def encode_in_windows(
    texts: Sequence[str], encode: Callable[[list[str]], Rows], *, tokenizer: Tokenizer, max_tokens: int
) -> Rows:
    """Encode every window, then average the rows of each text by their tokens and normalise.

    Shape: (N, D) for N texts; ``encode`` gives unit rows.
    """
    # Few texts have more characters than tokens allow: only those are tokenised to be cut.
    pieces = [
        windows(text, tokenizer=tokenizer, max_tokens=max_tokens) if len(text) > max_tokens else [(text, 1)]
        for text in texts
    ]
    rows = encode([piece for group in pieces for piece, _ in group])
    if all(len(group) == 1 for group in pieces):
        return rows
    merged = np.empty((len(texts), rows.shape[1]), dtype=np.float32)
    position = 0
    for index, group in enumerate(pieces):
        weights = np.array([tokens for _, tokens in group], dtype=np.float32)
        total = weights @ rows[position : position + len(group)]
        merged[index] = total / np.linalg.norm(total)
        position += len(group)
    return merged
