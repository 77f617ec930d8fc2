"""Tiny random models of several architectures, and a word tokenizer made on the spot."""

from __future__ import annotations

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


def make_spec(kind: str = "llama", **changes: object) -> ModelSpec:
    settings = {"name": "tiny", "encoder": BERT, "decoder": DECODERS[kind], "max_tokens": 48, "eos_token_id": EOS}
    return ModelSpec(**{**settings, **changes})  # type: ignore[arg-type]


def make_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", VOCABULARY["[CLS]"]), ("[SEP]", EOS)]
    )
    return tokenizer


def make_model(spec: ModelSpec, *, seed: int = 7) -> Causal2Vec:
    torch.manual_seed(seed)
    model = Causal2Vec(spec).eval()
    with torch.no_grad():  # default initialisations are so small that an error would hide in the tolerance
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model
