"""A Causal2Vec folder as a model of ``sentence-transformers``: encode, train, evaluate with what people already have.

    model = open_sentence_transformer("runs/mine/model")       # or, for a folder written by save_sentence_transformer:
    model = SentenceTransformer("runs/mine/model", trust_remote_code=True)
    model.encode_query(["when does the ferry leave"]), model.encode_document(["It leaves at nine."])

The prompt of ``sentence-transformers`` is what stands before C in the decoder's sequence: ``[prompt, C, text, EOS]``.
It is never put before the text itself, so the encoder does not read it. Texts are cut at ``max_seq_length`` tokens,
as ``sentence-transformers`` does it; the encoders of this package read long texts in windows instead.

``trust_remote_code`` is how sentence-transformers (from 6.0 on) asks before it imports a class of any other package:
the class below, as it is installed. A model folder holds no code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from c2vsearch.errors import InvalidConfig
from c2vsearch.model.checkpoint import find_model
from c2vsearch.model.checkpoint import load as load_folder
from c2vsearch.model.checkpoint import save as save_folder
from c2vsearch.model.spec import read_spec
from c2vsearch.model.tokens import TextTokenizer, TokenizedText
from c2vsearch.optional import require

require("sentence_transformers", extra="train", purpose="using the model in sentence-transformers")

import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.base.modules import InputModule  # noqa: E402
from torch import Tensor  # noqa: E402

from c2vsearch.model.batch import collate  # noqa: E402
from c2vsearch.model.causal2vec import Batch, Causal2Vec  # noqa: E402

# What `preprocess` gives and `forward` takes. "input_ids" is how the trainer recognises a column of texts. There is no
# "attention_mask": gradient caching would cut every tensor of its width, also the encoder's, to the decoder's length.
FEATURES = {
    "input_ids": "decoder_ids",
    "decoder_mask": "decoder_mask",
    "encoder_ids": "encoder_ids",
    "encoder_mask": "encoder_mask",
    "context_position": "context_position",
    "eos_position": "eos_position",
}


class Causal2VecModule(InputModule):
    """The whole model as the one module of a ``SentenceTransformer``; its output needs no pooling and has unit length.

    Shape: B texts; ``sentence_embedding`` (B, D) float32.
    """

    save_in_root = True

    def __init__(self, model: Causal2Vec, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer  # ours: it lays out both sequences
        self.max_seq_length = model.spec.max_tokens

    def preprocess(
        self,
        inputs: Sequence[str],
        prompt: str | None = None,
        task: str | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> dict[str, Tensor]:
        """Ids and masks of texts, with the prompt before C.

        Args:
            inputs: Texts.
            prompt: What stands before C; nothing by default.
            task: "query" or "document", as sentence-transformers passes it; the prompt says all that matters.
            max_length: Tokens of a text, at most, in either tokenizer; ``max_seq_length`` by default.
        """
        if not all(isinstance(text, str) for text in inputs):
            raise InvalidConfig("a Causal2Vec model reads texts; expected a list of str")
        limit = min(max_length or self.max_seq_length, self.max_seq_length)
        texts = [cut(text, limit) for text in self.tokenizer.tokenize(list(inputs), instruction=prompt or "")]
        batch = collate(texts)
        return {feature: getattr(batch, name) for feature, name in FEATURES.items()}

    def forward(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Add ``sentence_embedding`` to the features."""
        batch = _trimmed(Batch(**{name: features[feature] for feature, name in FEATURES.items()}))
        features["sentence_embedding"] = self.model(batch)
        return features

    def get_embedding_dimension(self) -> int:
        """D."""
        return self.model.spec.dim

    def get_config_dict(self) -> dict[str, Any]:
        """What the module is, for its ``repr``."""
        return {"name": self.model.spec.name, "pooling": self.model.spec.pooling, "max_tokens": self.max_seq_length}

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **options: Any) -> None:
        """Write the folder that `load` and ``c2vsearch`` read; always safetensors."""
        save_folder(self.model, Path(output_path), tokenizers=self.tokenizer)

    @classmethod
    def load(cls, model_name_or_path: str, **options: Any) -> Causal2VecModule:
        """Read a model folder. ``model_kwargs={"dtype": torch.bfloat16}`` loads the weights in another dtype."""
        dtype = (options.get("model_kwargs") or {}).get("dtype")
        folder = find_model(Path(model_name_or_path, options.get("subfolder") or ""))
        return cls(load_folder(folder, dtype=dtype), TextTokenizer.open(folder, read_spec(folder)))


def cut(text: TokenizedText, limit: int) -> TokenizedText:
    """The first ``limit`` tokens of a text for both halves; the encoder's special tokens and EOS stay at the ends.

    >>> cut(TokenizedText(encoder=(1, 5, 6, 7, 2), before=(9,), after=(5, 6, 7, 3)), 2)
    TokenizedText(encoder=(1, 5, 6, 2), before=(9,), after=(5, 6, 3))
    """
    after = text.after if len(text.after) <= limit + 1 else (*text.after[:limit], text.after[-1])
    encoder = text.encoder if len(text.encoder) <= limit + 2 else (*text.encoder[: limit + 1], text.encoder[-1])
    return TokenizedText(encoder=encoder, before=text.before, after=after)


def prompts(folder_or_module: Path | Causal2VecModule, *, task: str | None = None) -> dict[str, str]:
    """The prompts "query" and "document" of a model, with its own task or another."""
    spec = (
        folder_or_module.model.spec if isinstance(folder_or_module, Causal2VecModule) else read_spec(folder_or_module)
    )
    return {"query": spec.instruction(task), "document": spec.document_template}


def open_sentence_transformer(
    model: str | Path, *, task: str | None = None, device: str | None = None, dtype: torch.dtype | None = None
) -> SentenceTransformer:
    """A model folder, or a bundled model by name, as a ``SentenceTransformer``; the folder needs no preparation.

    Args:
        model: Folder or bundled name.
        task: What queries are for, in place of the model's own.
        device: As torch calls it; by default the best there is.
        dtype: Of the weights; float32 by default.

    Raises:
        ModelNotFound: There is no such model.
    """
    folder = find_model(model)
    return wrap(Causal2VecModule.load(str(folder), model_kwargs={"dtype": dtype}), task=task, device=device)


def wrap(module: Causal2VecModule, *, task: str | None = None, device: str | None = None) -> SentenceTransformer:
    """A module as a ``SentenceTransformer`` with the prompts of its model."""
    return SentenceTransformer(modules=[module], prompts=prompts(module, task=task), device=device)


def save_sentence_transformer(folder: Path) -> None:
    """Make a model folder loadable with ``SentenceTransformer(folder, trust_remote_code=True)``.

    Adds ``modules.json`` and ``config_sentence_transformers.json`` beside the model's own files, which stay as they
    are: the folder is still one for ``c2vsearch``, with the same revision.
    """
    import json

    spec = read_spec(folder)
    kind = f"{Causal2VecModule.__module__}.{Causal2VecModule.__name__}"
    files: dict[str, Any] = {
        "modules.json": [{"idx": 0, "name": "0", "path": "", "type": kind}],
        "config_sentence_transformers.json": {
            "model_type": "SentenceTransformer",
            "prompts": {"query": spec.instruction(None), "document": spec.document_template},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _trimmed(batch: Batch) -> Batch:
    """Without the columns that only longer texts of other batches needed: a part of a batch keeps its width."""
    encoder = int(batch.encoder_mask.sum(dim=1).max())
    decoder = int(batch.eos_position.max()) + 1
    return Batch(
        batch.encoder_ids[:, :encoder],
        batch.encoder_mask[:, :encoder],
        batch.decoder_ids[:, :decoder],
        batch.decoder_mask[:, :decoder],
        batch.context_position,
        batch.eos_position,
    )
