"""What a Causal2Vec model is, apart from its weights: the ``config.json`` of a model folder. Needs no torch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from c2vsearch.config import DEFAULT_TASK
from c2vsearch.errors import CorruptFile, IncompatibleVersion, InvalidConfig
from c2vsearch.model.truncation import kept_columns
from c2vsearch.records import Fingerprint

FORMAT = 1
CONFIG_FILE = "config.json"
QUERY_TEMPLATE = "Instruct: {task}\nQuery: "

Pooling = Literal["concat", "context", "eos"]
EncoderPooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Architecture, sequence layout and prompts of one model.

    ``encoder`` and ``decoder`` are the ``transformers`` configurations of the two halves, as dictionaries.
    ``context_first`` puts the contextual token before the instruction instead of after it: under a causal
    mask its own state then cannot depend on the instruction. ``max_tokens`` counts tokens of a text in
    either tokenizer, special tokens and instruction left out; longer texts than ``window_tokens`` are encoded in
    windows of at most so many, where the model represents short texts better than long ones. ``float_layers`` are
    the linear layers, by the start of their names, whose inputs int8 would spoil: the int8 graph multiplies in float32.
    """

    name: str
    encoder: dict[str, Any]
    decoder: dict[str, Any]
    max_tokens: int
    window_tokens: int | None = None
    eos_token_id: int
    bos_token_id: int | None = None
    encoder_pooling: EncoderPooling = "mean"
    projector_residual: bool = False
    context_first: bool = False
    pooling: Pooling = "concat"
    tied_token_embeddings: bool = False
    float_layers: tuple[str, ...] = ()
    query_template: str = QUERY_TEMPLATE
    document_template: str = ""
    default_task: str = DEFAULT_TASK
    version: str = "0"

    def __post_init__(self) -> None:
        for key, allowed in (("pooling", ("concat", "context", "eos")), ("encoder_pooling", ("mean", "cls"))):
            if getattr(self, key) not in allowed:
                raise InvalidConfig(f"{key} is {getattr(self, key)!r}; expected one of {', '.join(allowed)}")
        if self.max_tokens < 1:
            raise InvalidConfig(f"max_tokens is {self.max_tokens}; expected at least 1")
        if self.window_tokens is not None and not 1 <= self.window_tokens <= self.max_tokens:
            raise InvalidConfig(
                f"window_tokens is {self.window_tokens}; expected from 1 to max_tokens ({self.max_tokens})"
            )
        for half in ("encoder", "decoder"):
            if "model_type" not in getattr(self, half) or "hidden_size" not in normal_sizes(getattr(self, half)):
                raise InvalidConfig(f"{half} has no model_type or hidden_size; expected a transformers configuration")
        widths = [int(normal_sizes(half)["hidden_size"]) for half in (self.encoder, self.decoder)]
        if self.projector_residual and widths[0] != widths[1]:
            raise InvalidConfig(
                f"projector_residual needs halves of one width; the encoder has {widths[0]}, the decoder {widths[1]}"
            )

    @property
    def window(self) -> int:
        """Tokens of a text in one forward pass, at most."""
        return self.window_tokens or self.max_tokens

    @property
    def hidden(self) -> int:
        """Width H of the decoder."""
        return int(normal_sizes(self.decoder)["hidden_size"])

    @property
    def dim(self) -> int:
        """Width D of an embedding: 2H for the concatenation, H for one state alone."""
        return self.hidden * self.parts

    @property
    def parts(self) -> int:
        """Equal parts of an embedding: the states of C and of EOS, or one of them alone."""
        return 2 if self.pooling == "concat" else 1

    def checked_dim(self, dim: int | None) -> int:
        """The width of embeddings shortened to ``dim``, or the whole one.

        Raises:
            InvalidConfig: The model's embeddings cannot be shortened to it.
        """
        return self.dim if dim is None else len(kept_columns(self.dim, dim, parts=self.parts))

    def fingerprint(self, revision: str, *, dim: int, precision: str) -> Fingerprint:
        """What makes the vectors of this model's folder with that revision."""
        return Fingerprint(
            name=self.name, revision=revision, dim=dim, pooling=self.pooling, document_prompt=self.document_template,
            precision=precision,
        )  # fmt: skip

    @property
    def max_instruction_tokens(self) -> int:
        """What the decoder's positions leave for an instruction beside the longest text, C, BOS and EOS."""
        positions = self.decoder.get("max_position_embeddings") or self.decoder.get("n_positions") or 2048
        return max(0, int(positions) - self.max_tokens - 3)

    def instruction(self, task: str | None) -> str:
        """What stands before a query in the decoder's sequence."""
        return self.query_template.replace("{task}", task if task is not None else self.default_task)

    def to_json(self) -> str:
        """The text of ``config.json``."""
        return json.dumps({"format": FORMAT, "architecture": "causal2vec", **dataclasses.asdict(self)}, indent=2) + "\n"


def normal_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """A transformers configuration with GPT-2's ``n_embd`` and DistilBERT's ``dim`` under the common name."""
    width = config.get("n_embd") or config.get("dim")
    return {**config, "hidden_size": width} if width and "hidden_size" not in config else config


def read_spec(folder: Path) -> ModelSpec:
    """Read and validate a model folder's ``config.json``.

    Raises:
        CorruptFile: It is missing, is not JSON or lacks a field.
        IncompatibleVersion: It was written in another format.
        InvalidConfig: It has an unknown key or a value it cannot have.
    """
    path = folder / CONFIG_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptFile(f"{path} cannot be read ({error}); expected the folder of a Causal2Vec model") from error
    if not isinstance(data, dict) or data.pop("architecture", None) != "causal2vec":
        raise CorruptFile(f"{path} does not describe a Causal2Vec model")
    if (version := data.pop("format", None)) != FORMAT:
        raise IncompatibleVersion(f"{path} has format {version}; this version of c2vsearch reads {FORMAT}")
    known = {field.name for field in dataclasses.fields(ModelSpec)}
    if unknown := sorted(set(data) - known):
        raise InvalidConfig(f"{path} has unknown keys: {', '.join(unknown)}")
    try:
        return ModelSpec(**data | {"float_layers": tuple(data.get("float_layers", ()))})
    except TypeError as error:
        raise CorruptFile(f"{path} is incomplete: {error}") from error
