"""Exact FLOPs of a forward pass, from the shapes alone; a multiplication and an addition are two.

Matrix products only, as `torch.utils.flop_counter` counts them (compared with it by value in the tests); attention
over all pairs of positions, which is what a kernel without causal skipping does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """A Llama or Mistral decoder: H, layers, MLP width, query heads, key-value heads."""

    hidden: int
    layers: int
    intermediate: int
    heads: int
    kv_heads: int

    def flops(self, tokens: int, *, prefix: int = 0) -> int:
        """One text of ``tokens`` tokens, no vocabulary head; ``prefix`` more stand in a cache of keys and values."""
        kv_width = self.hidden * self.kv_heads // self.heads
        projections = self.hidden * (2 * self.hidden + 2 * kv_width) + 3 * self.hidden * self.intermediate
        attention = 2 * (tokens + prefix) * self.hidden
        return self.layers * 2 * tokens * (projections + attention)

    @property
    def parameters(self) -> int:
        """Of the matrices, token vectors left out."""
        return self.flops(1) // 2 - self.layers * 2 * self.hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShape:
    """A BERT encoder: width, layers, MLP width."""

    hidden: int
    layers: int
    intermediate: int

    def flops(self, tokens: int) -> int:
        """One text of ``tokens`` tokens, special tokens counted in."""
        projections = 4 * self.hidden**2 + 2 * self.hidden * self.intermediate
        return self.layers * 2 * tokens * (projections + 2 * tokens * self.hidden)


def projector_flops(encoder_width: int, decoder_width: int) -> int:
    """Two linear layers on one token."""
    return 2 * decoder_width * (encoder_width + decoder_width)
