"""The token codes of texts from those of their windows: of each text the first tokens, special tokens included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from c2vsearch.model.token_codec import TOKENS_CODED, TokenCodec

Windows = Sequence[Sequence[tuple[str, int]]]


def coded_windows(groups: Windows) -> list[list[tuple[str, int]]]:
    """Of each text the windows that its first tokens are in.

    >>> coded_windows([[("a", 300), ("b", 300), ("c", 300)], [("d", 1)]])
    [[('a', 300), ('b', 300)], [('d', 1)]]
    """
    found = []
    for group in groups:
        before, kept = 0, []
        for piece, tokens in group:
            if before < TOKENS_CODED:
                kept.append((piece, tokens))
            before += tokens
        found.append(kept)
    return found


def joined_codes(codec: TokenCodec, codes: Sequence[bytes], groups: Windows) -> list[bytes]:
    """One a text from those of its windows, which stand one after the other; no more than are stored."""
    found, position = [], 0
    for group in groups:
        whole = b"".join(codes[position : position + len(group)])
        found.append(whole[: TOKENS_CODED * codec.parts])
        position += len(group)
    return found


def spans_of_windows(
    text: str, pieces: Sequence[str], *, spans: Callable[[str], list[tuple[int, int]]]
) -> list[tuple[int, int]]:
    """Where the tokens of windows stand in their text, in the order of their codes; special tokens are empty.

    Args:
        text: What the windows were cut from, in order.
        pieces: The windows.
        spans: Where the tokens of a window stand in it, special ones at (0, 0).

    >>> spans_of_windows("one two three", ["one two", "three"], spans=lambda piece: [(0, 0), (0, 3)])
    [(0, 0), (0, 3), (8, 8), (8, 11)]
    """
    found: list[tuple[int, int]] = []
    position = 0
    for piece in pieces:
        start = text.index(piece, position)
        position = start + len(piece)
        found += [(start + first, start + last) for first, last in spans(piece)]
    return found[:TOKENS_CODED]
