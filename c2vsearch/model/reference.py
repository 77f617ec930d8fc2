"""The slow, readable twin of the model: one text at a time, no padding, no mask, written from the definition.

Tests compare the fast paths with it by value.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.tokens import TokenizedText


def embed_one(model: Causal2Vec, text: TokenizedText) -> Tensor:
    """The embedding of one text. Shape: (D,).

    1. The encoder reads the text; its token states are averaged (or the first is taken).
    2. A two-layer MLP turns the result into the contextual token C.
    3. The decoder reads ``[..., C, ...]`` under its own causal mask.
    4. The last states of C and of EOS, which is last, are concatenated and scaled to length one.
    """
    spec = model.spec
    states = model.encoder(input_ids=torch.tensor([text.encoder])).last_hidden_state[0]  # (T_e, K)
    pooled = states[0] if spec.encoder_pooling == "cls" else sum(states) / len(states)  # (K,)
    if spec.projector_residual and spec.encoder_pooling == "mean":
        pooled = pooled / pooled.pow(2).sum().sqrt()
    up = model.projector.up.weight @ pooled + model.projector.up.bias
    activated = up * 0.5 * (1 + torch.erf(up / math.sqrt(2)))  # GELU (Hendrycks & Gimpel, arXiv 1606.08415)
    context = model.projector.down.weight @ activated + model.projector.down.bias
    if spec.projector_residual:
        context = context + pooled
    table = model.decoder.get_input_embeddings()  # the layer, which may scale its rows, not the bare matrix
    before, after = (list(table(torch.tensor(ids, dtype=torch.long))) for ids in (text.before, text.after))
    sequence = [*before, context, *after]
    hidden = model.decoder(inputs_embeds=torch.stack(sequence)[None], use_cache=False).last_hidden_state[0]
    parts = {
        "concat": [hidden[len(text.before)], hidden[-1]],
        "context": [hidden[len(text.before)]],
        "eos": [hidden[-1]],
    }[spec.pooling]
    embedding = torch.cat(parts)
    return embedding / embedding.pow(2).sum().sqrt()
