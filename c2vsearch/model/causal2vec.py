"""Causal2Vec as a module over any encoder and any decoder-only language model of ``transformers``.

The encoder reads the text; its pooled state goes through a projector and becomes ONE contextual token C.
The decoder reads ``[instruction, C, text, EOS]`` with its causal mask untouched. The embedding is the
L2-normalised concatenation of the last hidden states of C and of EOS (arXiv 2507.23386, section 3; the
order of the sequence is discussed in docs/design.md). Knows no tokenizer, no files.

Shapes: B texts, T_e encoder tokens, T decoder tokens, K encoder width, H decoder width, D = 2H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from c2vsearch.model.spec import ModelSpec, normal_sizes


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids of B texts. ``context_position`` and ``eos_position`` index the decoder's T.

    Shape: encoder_ids and encoder_mask (B, T_e); decoder_ids and decoder_mask (B, T); positions (B,).
    """

    encoder_ids: Tensor
    encoder_mask: Tensor
    decoder_ids: Tensor
    decoder_mask: Tensor
    context_position: Tensor
    eos_position: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        return Batch(**{name: getattr(self, name).to(device) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class States:
    """Everything one forward pass knows. Shape: context and eos (B, H); encoder_states (B, T_e, K)."""

    context: Tensor
    eos: Tensor
    encoder_states: Tensor


class Projector(nn.Module):
    """Two linear layers with a GELU between them, from the encoder's width K to the decoder's H.

    With ``residual`` (K = H only) the input is added to the output and the second layer starts at zero, so
    that training starts from the encoder's own embedding.
    """

    def __init__(self, encoder_width: int, decoder_width: int, *, residual: bool) -> None:
        super().__init__()
        self.up = nn.Linear(encoder_width, decoder_width)
        self.down = nn.Linear(decoder_width, decoder_width)
        self.residual = residual
        if residual:
            nn.init.zeros_(self.down.weight)
            nn.init.zeros_(self.down.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Shape: (B, K) -> (B, H)."""
        projected: Tensor = self.down(nn.functional.gelu(self.up(pooled)))
        return pooled + projected if self.residual else projected


class Causal2Vec(nn.Module):
    """Encoder, projector and decoder; ``forward`` gives unit embeddings (B, D)."""

    def __init__(
        self, spec: ModelSpec, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        """Halves that are not given are made from the spec, with random weights of a dtype."""
        super().__init__()
        self.spec = spec
        self.encoder: Any = encoder if encoder is not None else _random_half(spec.encoder, dtype)
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler = None  # BERT's next-sentence head: we pool ourselves
        self.decoder: Any = decoder if decoder is not None else _random_half(spec.decoder, dtype)
        self.projector = Projector(
            normal_sizes(spec.encoder)["hidden_size"], spec.hidden, residual=spec.projector_residual
        ).to(dtype)
        if spec.tied_token_embeddings:
            self.decoder.set_input_embeddings(self.encoder.get_input_embeddings())

    def states(self, batch: Batch) -> States:
        """Run both halves.

        The place of C in ``decoder_ids`` holds any valid id; its embedding is replaced here, out of place,
        so that the gradient reaches the projector and the encoder.
        """
        encoder_states: Tensor = self.encoder(
            input_ids=batch.encoder_ids, attention_mask=batch.encoder_mask
        ).last_hidden_state  # (B, T_e, K)
        return self.decode(self.pool_encoder(encoder_states, batch.encoder_mask), batch, encoder_states)

    def decode(self, pooled: Tensor, batch: Batch, encoder_states: Tensor) -> States:
        """Run the projector and the decoder on the encoder's text vectors (B, K)."""
        context = self.projector(pooled.to(self.projector.up.weight.dtype))  # (B, H)
        embeddings = self.decoder.get_input_embeddings()(batch.decoder_ids)  # (B, T, H)
        positions = torch.arange(batch.decoder_ids.shape[1], device=embeddings.device)
        at_context = (positions[None, :] == batch.context_position[:, None])[:, :, None]  # (B, T, 1)
        hidden: Tensor = self.decoder(
            inputs_embeds=torch.where(at_context, context[:, None, :].to(embeddings.dtype), embeddings),
            attention_mask=batch.decoder_mask,
            position_ids=(batch.decoder_mask.cumsum(dim=1) - 1).clamp(min=0),  # left padding counts from 0 too
            use_cache=False,
        ).last_hidden_state  # (B, T, H)
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return States(hidden[rows, batch.context_position], hidden[rows, batch.eos_position], encoder_states)

    def pool_encoder(self, states: Tensor, mask: Tensor) -> Tensor:
        """The encoder's text vector. Shape: (B, T_e, K), (B, T_e) -> (B, K)."""
        if self.spec.encoder_pooling == "cls":
            return states[:, 0]
        weights = mask[:, :, None].float()
        pooled = (states.float() * weights).sum(dim=1) / weights.sum(dim=1)  # a mean over bfloat16 would lose digits
        # The residual projector adds to a unit vector: the scale that sentence encoders are trained at.
        return nn.functional.normalize(pooled, dim=1) if self.spec.projector_residual else pooled

    def pool(self, states: States) -> Tensor:
        """The embedding of each text, of unit length. Shape: (B, D)."""
        parts = {"concat": (states.context, states.eos), "context": (states.context,), "eos": (states.eos,)}
        return nn.functional.normalize(torch.cat(parts[self.spec.pooling], dim=1).float(), dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Shape: (B, D) float32, unit rows."""
        return self.pool(self.states(batch))


def _random_half(config: dict[str, Any], dtype: torch.dtype) -> nn.Module:
    values = dict(config)
    half: nn.Module = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values), dtype=dtype)
    return half
