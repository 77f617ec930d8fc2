"""Texts of different lengths as one rectangle of ids. The side of the padding changes no row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from c2vsearch.model.causal2vec import Batch
from c2vsearch.model.tokens import TokenizedText

PaddingSide = Literal["left", "right"]

# Padding and the place of C hold this id: it is masked out or replaced, and 0 exists in every vocabulary.
FILLER = 0


def collate(texts: Sequence[TokenizedText], *, padding_side: PaddingSide = "right") -> Batch:
    """Pad both sequences of each text to the longest of the batch.

    >>> text = TokenizedText(encoder=(5, 6), before=(7,), after=(8, 9))
    >>> batch = collate([text], padding_side="left")
    >>> batch.decoder_ids.tolist(), batch.context_position.tolist(), batch.eos_position.tolist()
    ([[7, 0, 8, 9]], [1], [3])
    """
    encoder_ids, encoder_mask, _ = _pad([text.encoder for text in texts], side="right")
    sequences = [(*text.before, FILLER, *text.after) for text in texts]
    decoder_ids, decoder_mask, offsets = _pad(sequences, side=padding_side)
    context = offsets + torch.tensor([text.context_position for text in texts])
    last = offsets + torch.tensor([text.decoder_length - 1 for text in texts])
    return Batch(encoder_ids, encoder_mask, decoder_ids, decoder_mask, context, last)


def _pad(sequences: Sequence[tuple[int, ...]], *, side: PaddingSide) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask (B, T), and where each sequence starts (B,)."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), FILLER)
    mask = torch.zeros_like(ids)
    offsets = torch.zeros(len(sequences), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        offset = longest - len(sequence) if side == "left" else 0
        ids[row, offset : offset + len(sequence)] = torch.tensor(sequence)
        mask[row, offset : offset + len(sequence)] = 1
        offsets[row] = offset
    return ids, mask, offsets
