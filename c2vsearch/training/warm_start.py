"""Start a model at the quality of a sentence encoder instead of at noise.

Three things make the untrained model equal to its encoder: the residual projector passes the encoder's
vector on unchanged; the decoder's output projections start at zero, so that C keeps its state through
every layer; and the first attention layer copies C into EOS, so that the second half of the embedding is
warm as well and training only has to add to it.

The copy: C carries a marker, a direction of the residual stream that neither token embeddings nor encoder
vectors use. Keys of the first layer read the marker, queries read the marker or EOS's own embedding, both
in the slowest rotary dimension so that distance does not matter. Values and output pass the rest of C on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from c2vsearch.model.causal2vec import Causal2Vec


@torch.no_grad()
def warm_start(model: Causal2Vec, sample: Tensor, *, marker_scale: float, sharpness: float) -> None:
    """Set the decoder (Llama type) and the projector as described above.

    Args:
        sample: encoder vectors (N, H) and token embeddings to find an unused direction in.
        marker_scale: length of the marker beside C's unit length.
        sharpness: attention logit of C against tokens without the marker.
    """
    for layer in model.decoder.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    marker = _least_used_direction(sample)
    model.projector.down.bias.copy_(marker_scale * marker)
    eos = model.decoder.get_input_embeddings().weight[model.spec.eos_token_id]
    _copy_layer(model.decoder.layers[0].self_attn, model, marker, eos, marker_scale, sharpness)


def _least_used_direction(sample: Tensor) -> Tensor:
    """The unit direction along which the (unit) rows of the sample vary and lie least. Shape: (N, H) -> (H,)."""
    _, vectors = torch.linalg.eigh(sample.T @ sample / len(sample))
    return vectors[:, 0]


def _copy_layer(
    attention: torch.nn.Module, model: Causal2Vec, marker: Tensor, eos: Tensor, marker_scale: float, sharpness: float
) -> None:
    width, heads = model.spec.hidden, model.spec.decoder["num_attention_heads"]
    per_head = width // heads
    slow = per_head // 2 - 1  # the pair (slow, slow + per_head / 2) turns least with distance
    # What the layer's RMSNorm leaves of each: C along the marker, EOS along itself.
    at_context = width**0.5 * marker_scale / (1 + marker_scale**2) ** 0.5
    eos_direction = eos - (eos @ marker) * marker
    eos_direction = eos_direction / eos_direction.norm()
    at_eos = width**0.5
    key = (sharpness * per_head**0.5) ** 0.5
    query_reader = marker / at_context + eos_direction / at_eos  # about 1 for C and for EOS
    rest = torch.eye(width) - torch.outer(marker, marker)  # the marker itself is not passed on
    noise = 0.02
    for name in ("q_proj", "k_proj"):
        getattr(attention, name).weight.normal_(0.0, noise / 4)
    for head in range(heads):
        attention.q_proj.weight[head * per_head + slow] = key * query_reader
        attention.k_proj.weight[head * per_head + slow] = key * marker / at_context
    attention.v_proj.weight.copy_(rest)
    attention.o_proj.weight.copy_(torch.eye(width) / width**0.5)
