"""The token codes of texts from those of their windows: of each text the first tokens, special tokens included."""

from __future__ import annotations

from collections.abc import Sequence

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
