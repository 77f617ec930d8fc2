"""Tiny random rerankers as real folders of ``transformers``: cross-encoders and causal language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

from tests.tiny_models import BERT, LLAMA

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
MARKS = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"]
SIGNS = list(".,:;<>[]()'\"!?-")
WORDS = (
    "the a ferry leaves at nine when does late boat is bread dough rest for an hour yes no query document instruct given "
    "web search retrieve relevant passages that answer system user assistant judge whether meets requirements based on "
    "and provided note can only be rank i will provide you with each indicated by numerical identifier their relevance to "
    "above all should included listed using identifiers in descending order of output format e g respond ranking results "
    "do not say any word or explain"
).split()
VOCABULARY = {
    word: number for number, word in enumerate(dict.fromkeys([*SPECIAL, *MARKS, *SIGNS, *map(str, range(10)), *WORDS]))
}


def make_tokenizer(*, marks: bool = False, **settings: Any) -> PreTrainedTokenizerFast:
    """Words as tokens, pairs as BERT has them; ``marks`` are Qwen's, which otherwise are unknown words."""
    vocabulary = {word: number for word, number in VOCABULARY.items() if marks or word not in MARKS}
    vocabulary = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )  # fmt: skip
    if marks:
        tokenizer.add_special_tokens(MARKS)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{**names, **settings})


def save_cross_encoder(
    folder: Path, *, labels: int = 1, seed: int = 5, model_max_length: int = 64, id2label: dict[int, str] | None = None,
    **changes: Any,
) -> Path:  # fmt: skip
    """A random BERT with a head."""
    values = {**BERT, "vocab_size": len(VOCABULARY), "num_labels": labels, **changes}
    if id2label:
        values |= {"id2label": id2label, "label2id": {label: number for number, label in id2label.items()}}
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
    _shake(model)
    model.save_pretrained(folder)
    inputs = ["input_ids", "attention_mask"] + ["token_type_ids"] * (model.config.model_type == "bert")
    make_tokenizer(model_max_length=model_max_length, model_input_names=inputs).save_pretrained(folder)
    return folder


def save_causal(
    folder: Path, *, kind: dict[str, Any] = LLAMA, marks: bool = True, seed: int = 5, positions: int = 1024,
    chat_template: str | None = None,
) -> Path:  # fmt: skip
    """A random causal language model."""
    values = {**kind, "vocab_size": len(VOCABULARY), "max_position_embeddings": positions}
    if values["model_type"] == "gpt2":
        values["n_positions"] = values.pop("max_position_embeddings")
    torch.manual_seed(seed)
    nothing = {"eos_token_id": None, "bos_token_id": None, "pad_token_id": None}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **nothing, **values))
    _shake(model)
    model.save_pretrained(folder)
    tokenizer = make_tokenizer(marks=marks, model_input_names=["input_ids", "attention_mask"])
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    return folder


def _shake(model: torch.nn.Module) -> None:
    """Default initialisations are so small that an error would hide in the tolerance."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
