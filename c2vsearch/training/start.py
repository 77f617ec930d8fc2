"""The model a run begins with: built from backbones or read from a folder, and what of it learns."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.backbones import from_backbones
from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.checkpoint import find_model, load
from c2vsearch.model.spec import read_spec
from c2vsearch.model.tokens import TextTokenizer
from c2vsearch.optional import require
from c2vsearch.training.config import LoraSettings, ModelSettings, TrainingConfig


def start_model(config: TrainingConfig) -> tuple[Causal2Vec, TextTokenizer]:
    """The model with its adapters, ready to train. Weights that learn are float32 whatever the precision.

    A decoder that only carries adapters is kept in bfloat16 when that is the precision.

    Raises:
        ModelNotFound: A backbone or the model to start from is not there.
        InvalidConfig: The halves or the adapters cannot be as the configuration says.
    """
    torch.manual_seed(config.training.seed)
    light = config.lora.enabled and config.training.precision == "bf16"
    model, tokenizer = _load(config.model, torch.bfloat16 if light else torch.float32)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    if config.lora.enabled:
        _add_adapters(model, config.lora)
    if config.model.freeze_encoder:
        _freeze(model.encoder)
    else:
        model.encoder.requires_grad_(True)  # adapters freeze the decoder and token embeddings that it may share
    if config.training.gradient_checkpointing:
        _checkpoint_activations(model, encoder=not config.model.freeze_encoder)
    return model.train(), tokenizer


def merge_adapters(model: Causal2Vec) -> None:
    """Add the adapters to the weights they stand beside, so that the model is an ordinary one again."""
    if hasattr(model.decoder, "merge_and_unload"):
        model.decoder = model.decoder.merge_and_unload()


def _load(settings: ModelSettings, decoder_dtype: torch.dtype) -> tuple[Causal2Vec, TextTokenizer]:
    if settings.start:
        folder = find_model(settings.start)
        model = load(folder)
        tokenizer = TextTokenizer.open(folder, read_spec(folder))
        if settings.name:
            model.spec = tokenizer.spec = dataclasses.replace(model.spec, name=settings.name)
        if not model.spec.tied_token_embeddings:  # a table the encoder learns on stays float32
            model.decoder.to(decoder_dtype)
        return model, tokenizer
    name = settings.name or f"{_last(settings.encoder)}+{_last(settings.decoder)}"
    return from_backbones(
        settings.encoder,
        settings.decoder,
        name=name,
        max_tokens=settings.max_tokens,
        encoder_pooling=settings.encoder_pooling,
        pooling=settings.pooling,
        context_first=settings.context_first,
        projector_residual=settings.projector_residual,
        query_template=settings.query_template,
        document_template=settings.document_template,
        default_task=settings.default_task,
        dtype=decoder_dtype,
        encoder_dtype=torch.float32,
    )


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1].lower()


def _add_adapters(model: Causal2Vec, settings: LoraSettings) -> None:
    peft = require("peft", extra="train", purpose="training with adapters")
    names = list(settings.target_modules)
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear" if names == ["all-linear"] else names,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.decoder.modules()),  # GPT-2's matrices
    )
    try:
        with warnings.catch_warnings():
            # peft asks by a name that transformers is about to drop; nothing a user could mend.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
            model.decoder = peft.get_peft_model(model.decoder, config)
    except ValueError as error:
        layers = sorted({name.rsplit(".", 1)[-1] for name, module in model.decoder.named_modules() if _matrix(module)})
        raise InvalidConfig(
            f"lora.target_modules {', '.join(names)} names no layer of the decoder; its layers are {', '.join(layers)}"
        ) from error


def _matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return weight is not None and weight.ndim == 2 and not isinstance(module, nn.Embedding)


def _freeze(half: Any) -> None:
    """No gradients, and no dropout: its vectors are those it will give later."""
    half.requires_grad_(False)
    half.eval()
    half.train = lambda mode=True: half


def _checkpoint_activations(model: Causal2Vec, *, encoder: bool) -> None:
    """Compute activations again in the backward pass instead of keeping them.

    Without reentrance, gradients reach the projector through the decoder whether its own weights learn or not.
    """
    for half in (model.decoder, *((model.encoder,) if encoder else ())):
        base = half.get_base_model() if hasattr(half, "get_base_model") else half
        enable = getattr(base, "activation_checkpointing_enable", None) or base.gradient_checkpointing_enable
        enable({"use_reentrant": False})
