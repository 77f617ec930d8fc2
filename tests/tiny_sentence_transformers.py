"""A tiny sentence-transformers model, made on the spot: random BERT, mean pooling, unit rows, a word tokenizer."""

from __future__ import annotations

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tests.tiny_models import BERT, make_tokenizer


def save_tiny(folder: Path, *, seed: int = 7, max_seq_length: int = 32, prompts: dict[str, str] | None = None) -> Path:
    """Save a model with 16 dimensions and give its folder back."""
    plain = folder / "plain"
    torch.manual_seed(seed)
    bert = BertModel(BertConfig(**{name: value for name, value in BERT.items() if name != "model_type"}))
    with torch.no_grad():  # default initialisations give rows that are all alike
        for parameter in bert.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        # Words, not places, make the difference: texts that share words are near, others are not.
        bert.embeddings.word_embeddings.weight.copy_(torch.randn_like(bert.embeddings.word_embeddings.weight) * 4)
    bert.save_pretrained(plain)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(), model_max_length=64, **special).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=max_seq_length)
    modules = [transformer, Pooling(16), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"
