"""Tiny random models of several architectures, and a word tokenizer made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from c2vsearch.model.causal2vec import Causal2Vec
from c2vsearch.model.spec import ModelSpec

WORDS = "the quick brown fox jumps over lazy dog instruct query task find a text that answers : . ,".split()
VOCABULARY = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
EOS = VOCABULARY["[SEP]"]

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
}
BERT = {
    **SMALL,
    "model_type": "bert",
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
LLAMA = {**SMALL, "model_type": "llama", "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-6}
DECODERS = {
    "llama": {**LLAMA, "hidden_act": "silu"},
    "mistral": {
        **SMALL,
        "model_type": "mistral",
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "sliding_window": 6,
    },
    "qwen3": {**SMALL, "model_type": "qwen3", "num_key_value_heads": 1, "head_dim": 8},
    "gemma": {
        **SMALL,
        "model_type": "gemma",
        "num_key_value_heads": 1,
        "head_dim": 8,
        "hidden_activation": "gelu_pytorch_tanh",
    },
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 40,
        "n_embd": 16,
        "n_layer": 2,
        "n_head": 2,
        "n_positions": 128,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    },
}


ENCODERS = {
    "bert": BERT,
    # Positions begin after the padding token's number: 2 of the 64 are never used.
    "xlm-roberta": {**BERT, "model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1},
    "modernbert": {
        **SMALL,
        "model_type": "modernbert",
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "pad_token_id": 0,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "attention_dropout": 0.0,
    },
}


def make_spec(kind: str = "llama", **changes: object) -> ModelSpec:
    settings = {"name": "tiny", "encoder": BERT, "decoder": DECODERS[kind], "max_tokens": 48, "eos_token_id": EOS}
    return ModelSpec(**{**settings, **changes})  # type: ignore[arg-type]


def make_tokenizer(*, specials: bool = True, bos: bool = False) -> Tokenizer:
    """Words as tokens; [CLS] and [SEP] around a text, or [CLS] alone as BOS, or neither."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = "[CLS] $A [SEP]" if specials else "[CLS] $A" if bos else "$A"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", VOCABULARY["[CLS]"]), ("[SEP]", EOS)]
    )
    return tokenizer


def make_model(spec: ModelSpec, *, seed: int = 7) -> Causal2Vec:
    torch.manual_seed(seed)
    model = Causal2Vec(spec).eval()
    with torch.no_grad():  # default initialisations are so small that an error would hide in the tolerance
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def save_backbone(
    folder: Path,
    config: dict[str, Any],
    *,
    eos: str | None = "[SEP]",
    bos: bool = False,
    head: bool = False,
    dtype: torch.dtype = torch.float32,
    max_shard_size: str = "5GB",
    seed: int = 11,
) -> Path:
    """A random model as a real folder of ``transformers``: configuration, safetensors, a fast tokenizer."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    values = dict(config)
    made = AutoConfig.for_model(values.pop("model_type"), **{"eos_token_id": None, "bos_token_id": None, **values})
    model = (AutoModelForCausalLM if head else AutoModel).from_config(made)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer = make_tokenizer(specials=config in ENCODERS.values(), bos=bos)
    named = {"eos_token": eos, "bos_token": "[CLS]" if bos else None}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", **{key: value for key, value in named.items() if value}
    ).save_pretrained(folder)
    return folder
