"""Texts longer than the model reads well: cut into windows at token edges, never dropped.

One contextual token over a long text says too little of it (HTP, arXiv 2511.14868), so windows are short, of equal
length, and averaged. What stands first in a text (a heading, a lead) tells more of what it is about: window r,
counted from 1, weighs 1/r of its tokens. Both were measured: docs/benchmarks.md, "Long texts".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Tokenizer

Rows = NDArray[np.float32]


def windows(
    text: str, *, tokenizer: Tokenizer, max_tokens: int, count: Callable[[str], int] | None = None
) -> list[tuple[str, int]]:
    """Pieces of at most ``max_tokens`` tokens, of equal length but for words cut in two, with their token counts.

    Together they hold every token.

    Args:
        text: What is cut.
        tokenizer: Its tokens are where it may be cut, and what the counts given back count.
        max_tokens: Tokens of a piece.
        count: What measures a piece, where several tokenizers read it; the tokenizer's own count otherwise.

    >>> from c2vsearch.encoder.hashing import WordTokenizer
    >>> windows("one two three", tokenizer=WordTokenizer(), max_tokens=2)
    [('one two', 2), ('three', 1)]
    >>> [size for _, size in windows("a b c d e f g h i", tokenizer=WordTokenizer(), max_tokens=4)]
    [3, 3, 3]
    """
    measure = count or (lambda piece: len(tokenizer.token_spans(piece)))
    spans = tokenizer.token_spans(text)
    if len(spans) <= max_tokens and (count is None or count(text) <= max_tokens):
        return [(text, max(1, len(spans)))]
    found: list[tuple[str, int]] = []
    step = math.ceil(len(spans) / math.ceil(len(spans) / max_tokens))
    first = 0
    while first < len(spans):
        last = min(first + step, len(spans))
        # A word cut in two may have more tokens than it had as one: measured, not assumed.
        while last > first + 1 and (size := measure(text[spans[first][0] : spans[last - 1][1]])) > max_tokens:
            last = max(first + 1, min(last - 1, first + (last - first) * max_tokens // size))
        found.append((text[spans[first][0] : spans[last - 1][1]], last - first))
        first = last
    return found


def encode_in_windows(
    texts: Sequence[str],
    encode: Callable[[list[str]], Rows],
    *,
    tokenizer: Tokenizer,
    max_tokens: int,
    count: Callable[[str], int] | None = None,
) -> Rows:
    """Encode every window, then average the rows of each text, by tokens and by rank, and normalise.

    Shape: (N, D) for N texts; ``encode`` gives unit rows.
    """
    groups = in_windows(texts, tokenizer=tokenizer, max_tokens=max_tokens, count=count)
    return merged(encode(pieces(groups)), groups)


def in_windows(
    texts: Sequence[str], *, tokenizer: Tokenizer, max_tokens: int, count: Callable[[str], int] | None = None
) -> list[list[tuple[str, int]]]:
    """The windows of each text, as `windows` cuts it; a text that surely is one window counts as one token."""
    # No tokenizer makes more tokens than bytes: only longer texts are tokenised to be cut.
    return [
        windows(text, tokenizer=tokenizer, max_tokens=max_tokens, count=count)
        if len(text.encode("utf-8", "replace")) > max_tokens
        else [(text, 1)]
        for text in texts
    ]


def pieces(groups: Sequence[Sequence[tuple[str, int]]]) -> list[str]:
    """The windows of all texts, one after the other."""
    return [piece for group in groups for piece, _ in group]


def merged(rows: Rows, groups: Sequence[Sequence[tuple[str, int]]]) -> Rows:
    """One row a text from those of its windows, which stand one after the other. Shape: (W, D) -> (N, D)."""
    if all(len(group) == 1 for group in groups):
        return rows
    found = np.empty((len(groups), rows.shape[1]), dtype=np.float32)
    position = 0
    for index, group in enumerate(groups):
        weights = np.array([tokens / rank for rank, (_, tokens) in enumerate(group, start=1)], dtype=np.float32)
        total = weights @ rows[position : position + len(group)]
        found[index] = total / np.linalg.norm(total)
        position += len(group)
    return found
