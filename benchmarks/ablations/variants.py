"""The variants: what the decoder reads, what it may look at, and which states make the embedding.

All of them run through one module, so that they differ in nothing else. Causal2Vec here equals
`c2vsearch.model.causal2vec` by value (tested).

Shapes: B texts, T decoder tokens, T_e encoder tokens, K encoder width, H decoder width, P pools, D = P * H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from c2vsearch.model.causal2vec import Projector

FILLER = 0  # stands in padding and in the place of C: masked out or replaced

Pooling = Literal["context+eos", "context", "eos", "mean"]


@dataclass(frozen=True, slots=True)
class Variant:
    """``encoder`` tells where C comes from, if there is one; ``copies`` is 2 for echo, pooled over the last copy."""

    label: str
    pooling: Pooling
    encoder: Literal["none", "given", "random"] = "none"
    bidirectional: bool = False
    copies: int = 1

    @property
    def context(self) -> bool:
        """Whether a contextual token stands before the text."""
        return self.encoder != "none"


VARIANTS = {
    "causal2vec": Variant("(a) Causal2Vec: C, concat(C, EOS)", "context+eos", "given"),
    "last": Variant("(b) no C, EOS", "eos"),
    "mean": Variant("(c) no C, mean", "mean"),
    "context-eos": Variant("(d) C, EOS alone", "eos", "given"),
    "context-only": Variant("(e) C, C alone", "context", "given"),
    "bidirectional": Variant("(f) bidirectional, mean", "mean", bidirectional=True),
    "echo": Variant("(g) echo, mean of the second copy", "mean", copies=2),
    "random-encoder": Variant("(h) as (a), encoder of random weights trained along", "context+eos", "random"),
}


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One text as the decoder reads it. Each of ``pools`` holds the positions whose states are averaged."""

    ids: tuple[int, ...]
    context: int | None
    pools: tuple[tuple[int, ...], ...]


def lay_out(variant: Variant, *, instruction: Sequence[int], text: Sequence[int], eos: int) -> TokenSequence:
    """``[instruction, (C), text, (text again), EOS]`` and what is pooled of it.

    The mean is over the text alone, its last copy for echo; a text without tokens is pooled at EOS.

    >>> lay_out(VARIANTS["causal2vec"], instruction=[7], text=[8, 9], eos=2)
    TokenSequence(ids=(7, 0, 8, 9, 2), context=1, pools=((1,), (4,)))
    >>> lay_out(VARIANTS["echo"], instruction=[7], text=[8, 9], eos=2)
    TokenSequence(ids=(7, 8, 9, 8, 9, 2), context=None, pools=((3, 4),))
    """
    before = [*instruction, FILLER] if variant.context else list(instruction)
    ids = (*before, *(list(text) * variant.copies), eos)
    last = len(ids) - 1
    context = len(instruction) if variant.context else None
    states = {
        "context": (context or 0,),
        "eos": (last,),
        "mean": tuple(range(last - len(text), last)) or (last,),
    }
    return TokenSequence(ids, context, tuple(states[part] for part in variant.pooling.split("+")))


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded sequences. ``context`` (B,) is -1 without C; ``pools`` (B, P, T) holds weights that sum to 1."""

    ids: Tensor
    mask: Tensor
    context: Tensor
    pools: Tensor


def collate(sequences: Sequence[TokenSequence]) -> Batch:
    """Pad on the right to the longest of the batch."""
    rows, longest = len(sequences), max(len(sequence.ids) for sequence in sequences)
    ids = torch.full((rows, longest), FILLER)
    mask = torch.zeros_like(ids)
    pools = torch.zeros(rows, len(sequences[0].pools), longest)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence.ids)] = torch.tensor(sequence.ids)
        mask[row, : len(sequence.ids)] = 1
        for number, positions in enumerate(sequence.pools):
            pools[row, number, list(positions)] = 1 / len(positions)
    context = torch.tensor([-1 if sequence.context is None else sequence.context for sequence in sequences])
    return Batch(ids, mask, context, pools)


def mean_pool(encoder: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """The encoder's text vectors, the mean of its states. Shape: (B, T_e), (B, T_e) -> (B, K)."""
    states: Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


class Embedder(nn.Module):
    """A decoder, with a projector where the variant has a contextual token; unit embeddings (B, D)."""

    def __init__(self, variant: Variant, decoder: nn.Module, *, encoder_width: int) -> None:
        super().__init__()
        self.variant = variant
        self.decoder = decoder
        width = decoder.config.hidden_size
        self.projector = Projector(encoder_width, width, residual=False) if variant.context else None

    def forward(self, batch: Batch, text_vectors: Tensor | None = None) -> Tensor:
        """``text_vectors`` (B, K) are the encoder's; needed exactly where the variant has C."""
        embeddings = self.decoder.get_input_embeddings()(batch.ids)  # (B, T, H)
        if self.projector is not None and text_vectors is not None:
            context = self.projector(text_vectors)[:, None, :].to(embeddings.dtype)
            at_context = torch.arange(batch.ids.shape[1])[None, :] == batch.context[:, None]
            embeddings = torch.where(at_context[:, :, None], context, embeddings)
        hidden = self.decoder(
            inputs_embeds=embeddings,
            attention_mask=both_ways(batch.mask) if self.variant.bidirectional else batch.mask,
            position_ids=torch.arange(batch.ids.shape[1])[None, :].expand_as(batch.ids),
            use_cache=False,
        ).last_hidden_state  # (B, T, H)
        with torch.autocast("cpu", enabled=False):  # cosines in bfloat16 would tie
            return nn.functional.normalize(torch.bmm(batch.pools, hidden.float()).flatten(1), dim=1)


def both_ways(mask: Tensor) -> Tensor:
    """Every token looks at every real one: an additive mask for the decoder. Shape: (B, T) -> (B, 1, T, T)."""
    additive = torch.zeros(mask.shape).masked_fill(mask == 0, torch.finfo(torch.float32).min)
    return additive[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
