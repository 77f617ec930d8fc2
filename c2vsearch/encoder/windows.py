"""Texts longer than the model reads: cut into windows at token edges, never dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Tokenizer

Rows = NDArray[np.float32]


def windows(
    text: str, *, tokenizer: Tokenizer, max_tokens: int, count: Callable[[str], int] | None = None
) -> list[tuple[str, int]]:
    """Pieces of at most ``max_tokens`` tokens with their token counts; together they hold every token.

    Args:
        text: What is cut.
        tokenizer: Its tokens are where it may be cut, and what the counts given back count.
        max_tokens: Tokens of a piece.
        count: What measures a piece, where several tokenizers read it; the tokenizer's own count otherwise.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> windows("one two three", tokenizer=WordTokenizer(), max_tokens=2)
    [('one two', 2), ('three', 1)]
    """
    measure = count or (lambda piece: len(tokenizer.token_spans(piece)))
    spans = tokenizer.token_spans(text)
    if len(spans) <= max_tokens and (count is None or count(text) <= max_tokens):
        return [(text, max(1, len(spans)))]
    pieces: list[tuple[str, int]] = []
    first = 0
    while first < len(spans):
        last = min(first + max_tokens, len(spans))
        # A word cut in two may have more tokens than it had as one: measured, not assumed.
        while last > first + 1 and (size := measure(text[spans[first][0] : spans[last - 1][1]])) > max_tokens:
            last = max(first + 1, min(last - 1, first + (last - first) * max_tokens // size))
        pieces.append((text[spans[first][0] : spans[last - 1][1]], last - first))
        first = last
    return pieces


def encode_in_windows(
    texts: Sequence[str],
    encode: Callable[[list[str]], Rows],
    *,
    tokenizer: Tokenizer,
    max_tokens: int,
    count: Callable[[str], int] | None = None,
) -> Rows:
    """Encode every window, then average the rows of each text by their tokens and normalise.

    Shape: (N, D) for N texts; ``encode`` gives unit rows.
    """
    # No tokenizer makes more tokens than bytes: only longer texts are tokenised to be cut.
    pieces = [
        windows(text, tokenizer=tokenizer, max_tokens=max_tokens, count=count)
        if len(text.encode("utf-8", "replace")) > max_tokens
        else [(text, 1)]
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
