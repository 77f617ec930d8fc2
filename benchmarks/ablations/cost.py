"""What one text costs in every variant: tokens, FLOPs, seconds. Texts of one length, the encoder's work counted in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from flops import DecoderShape, EncoderShape, projector_flops

from ablations.run import Model
from ablations.variants import Variant

SPECIAL_TOKENS = 2  # [CLS] and [SEP] around the text in the encoder


def decoder_tokens(variant: Variant, text_tokens: int) -> int:
    """Length of the decoder's sequence for a document: the text, again for echo, C and EOS."""
    return text_tokens * variant.copies + int(variant.context) + 1


def shapes(model: Model) -> tuple[DecoderShape, EncoderShape | None]:
    """The shapes of both halves."""
    config = model.embedder.decoder.config
    decoder = DecoderShape(
        hidden=config.hidden_size, layers=config.num_hidden_layers, intermediate=config.intermediate_size,
        heads=config.num_attention_heads, kv_heads=config.num_key_value_heads,
    )  # fmt: skip
    if model.encoder is None:
        return decoder, None
    half = model.encoder.encoder.config
    return decoder, EncoderShape(
        hidden=half.hidden_size, layers=half.num_hidden_layers, intermediate=half.intermediate_size
    )


def flops(model: Model, text_tokens: int) -> int:
    """Of one document of ``text_tokens`` tokens."""
    decoder, encoder = shapes(model)
    total = decoder.flops(decoder_tokens(model.embedder.variant, text_tokens))
    if encoder is not None:
        total += encoder.flops(text_tokens + SPECIAL_TOKENS) + projector_flops(encoder.hidden, decoder.hidden)
    return total


@torch.no_grad()
def costs(
    models: Mapping[str, Model], *, text_tokens: int, texts: int = 8, rounds: int = 5
) -> dict[str, dict[str, float]]:
    """Tokens, FLOPs and median seconds of one document in each variant, timed in turns on the same texts."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            words = [f"{name} {turn} {number} " + "river " * text_tokens for number in range(texts)]
            for word in words:
                model.texts.ids(word, text_tokens)
            began = time.perf_counter()
            model.embed(words, query=False, limit=text_tokens)
            if turn:  # the first is the warm-up
                seconds[name].append((time.perf_counter() - began) / texts)
    return {
        name: {
            "decoder_tokens": decoder_tokens(model.embedder.variant, text_tokens),
            "encoder_tokens": text_tokens + SPECIAL_TOKENS if model.encoder is not None else 0,
            "flops": flops(model, text_tokens),
            "seconds": statistics.median(seconds[name]),
        }
        for name, model in models.items()
    }
