"""What a training run is: one TOML file, read into frozen values, every key checked.

    [model]                                     # two backbones, or `start` to go on from a Causal2Vec model
    encoder = "intfloat/e5-base-v2"
    decoder = "princeton-nlp/Sheared-LLaMA-1.3B"

    [data]
    files = ["data/e5"]                         # .jsonl and .jsonl.xz files, or folders of them

    [training]
    output = "runs/e5-sheared-llama"

The paper's training section gives the backbones, the public retrieval data and LLM2Vec's recipe to compare with. Each
default says where it is from: "LLM2Vec" is the supervised recipe of McGill-NLP/llm2vec (BehnamGhader et al., COLM
2024, arXiv 2404.05961), which the Causal2Vec paper (arXiv 2507.23386) compares itself inside; "ours" is a choice that
neither fixes.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from c2vsearch.config import DEFAULT_TASK
from c2vsearch.errors import InvalidConfig
from c2vsearch.model.spec import QUERY_TEMPLATE, EncoderPooling, Pooling
from c2vsearch.terminal import visible_line

Section = TypeVar("Section")
Schedule = Literal["linear", "cosine", "constant"]
Precision = Literal["bf16", "fp32"]


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidConfig(message)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What is trained.

    Either ``encoder`` and ``decoder``, folders or hub names of two backbones, or ``start``, a Causal2Vec folder or a
    bundled name to go on from; a started model keeps its own layout, and the other keys must then stay away.

    ``encoder_pooling``: mean over tokens, as E5 was trained. ``pooling``: C and EOS concatenated (paper).
    ``context_first``: C after the instruction (secondary sources on the paper; an ablation). ``projector_residual``:
    two plain layers (paper); the sum with the encoder's vector needs halves of one width. ``max_tokens``: 512 (LLM2Vec
    and the paper), cut to what the backbones have positions for. ``query_template``, ``document_template``:
    instruction on queries, none on documents (E5-mistral's form). ``freeze_encoder``: both are trained (ours; the
    paper leaves it open).
    """

    encoder: str = ""
    decoder: str = ""
    start: str = ""
    name: str = ""
    encoder_pooling: EncoderPooling = "mean"
    pooling: Pooling = "concat"
    context_first: bool = False
    projector_residual: bool = False
    max_tokens: int | None = None
    query_template: str = QUERY_TEMPLATE
    document_template: str = ""
    default_task: str = DEFAULT_TASK
    freeze_encoder: bool = False

    def __post_init__(self) -> None:
        backbones = bool(self.encoder) + bool(self.decoder)
        _expect(
            backbones == (0 if self.start else 2),
            "[model] needs either encoder and decoder, or start; "
            f"given: {', '.join(key for key in ('encoder', 'decoder', 'start') if getattr(self, key)) or 'none'}",
        )
        if self.start:
            fixed = {item.name: item.default for item in dataclasses.fields(self)}
            said = [key for key, value in fixed.items() if getattr(self, key) != value]
            layout = sorted(set(said) - {"start", "name", "freeze_encoder"})
            _expect(not layout, f"[model] start keeps the layout of its model; take away {', '.join(layout)}")
        _expect(
            self.max_tokens is None or self.max_tokens >= 1, f"max_tokens is {self.max_tokens}; expected at least 1"
        )


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What is trained on.

    ``files``: pairs files, or folders of them. A line is an object with ``query``, ``positive`` and, where there are
    any, ``negatives``, ``scores`` (a teacher's cosines for the positive and each negative), ``source`` (the data set;
    the file's name by default) and ``group``.

    ``weights``: how often a data set is drawn, relative to its number of pairs (1; the samplings of the public E5 data
    are in ``recipes/``). ``tasks``: instruction of a data set's queries, else the model's default.
    ``hard_negatives``: for each query (1: LLM2Vec); pairs with fewer are used with what they have.
    ``max_query_tokens``, ``max_document_tokens``: 512 (LLM2Vec), cut to ``max_tokens``. ``held_out``: pairs of each
    data set that are kept for evaluation (ours).
    """

    files: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    hard_negatives: int = 1
    max_query_tokens: int = 512
    max_document_tokens: int = 512
    held_out: int = 0

    def __post_init__(self) -> None:
        _expect(bool(self.files), "[data] files is empty; expected pairs files or folders of them")
        _expect(self.hard_negatives >= 0, f"hard_negatives is {self.hard_negatives}; expected at least 0")
        _expect(self.held_out >= 0, f"held_out is {self.held_out}; expected at least 0")
        for key in ("max_query_tokens", "max_document_tokens"):
            _expect(getattr(self, key) >= 1, f"{key} is {getattr(self, key)}; expected at least 1")
        for source, weight in self.weights.items():
            _expect(weight >= 0, f"the weight of {source!r} is {weight}; expected at least 0")


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What is minimised.

    ``temperature``: 0.02 (LLM2Vec: cosine times 50; bge-en-icl too). ``matryoshka``: shorter widths that are trained
    as well, each with the weight of the whole (Kusupati et al., arXiv 2205.13147); none. ``distill_weight``: of the
    divergence from the teacher's ranking of ``[positive, *negatives]``, where lines have scores (1; ours), at
    ``teacher_temperature`` (0.05; ours). ``context_weight``, ``eos_weight``: of the same contrastive loss on C's half
    and on EOS's half alone (0: the paper has none).
    """

    temperature: float = 0.02
    matryoshka: tuple[int, ...] = ()
    distill_weight: float = 1.0
    teacher_temperature: float = 0.05
    context_weight: float = 0.0
    eos_weight: float = 0.0

    def __post_init__(self) -> None:
        for key in ("temperature", "teacher_temperature"):
            _expect(getattr(self, key) > 0, f"{key} is {getattr(self, key)}; expected more than 0")
        for key in ("distill_weight", "context_weight", "eos_weight"):
            _expect(getattr(self, key) >= 0, f"{key} is {getattr(self, key)}; expected at least 0")
        _expect(all(dim >= 1 for dim in self.matryoshka), f"matryoshka is {self.matryoshka}; expected widths from 1")


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters on the decoder (Hu et al., ICLR 2022, arXiv 2106.09685), or the whole decoder when disabled.

    ``rank`` 16, ``alpha`` 32, ``dropout`` 0.05, and the seven projections q, k, v, o, gate, up, down: LLM2Vec.
    ``target_modules`` "all-linear" names just these in Llama, Mistral, Qwen3 and Gemma, and their like in GPT-2.
    """

    enabled: bool = True
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target_modules: tuple[str, ...] = ("all-linear",)

    def __post_init__(self) -> None:
        _expect(self.rank >= 1, f"rank is {self.rank}; expected at least 1")
        _expect(self.alpha >= 1, f"alpha is {self.alpha}; expected at least 1")
        _expect(0 <= self.dropout < 1, f"dropout is {self.dropout}; expected from 0 to less than 1")
        _expect(bool(self.target_modules), 'target_modules is empty; expected names of layers, or "all-linear"')


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How it is trained.

    ``output``: folder of the run. ``steps`` 1000, ``batch_size`` 512 over all devices, ``lr`` 2e-4, ``warmup_steps``
    300, ``schedule`` linear to zero, ``precision`` bf16, ``gradient_checkpointing``: LLM2Vec. ``mini_batch_size``:
    texts that are in memory at once on a device (gradient caching: Gao et al., arXiv 2101.06983); 0 keeps the whole
    batch. ``weight_decay`` 0 and ``clip`` 1: the defaults of the trainer LLM2Vec uses. ``save_every`` 100 and
    ``eval_every`` 100 steps, ``log_every`` 10, ``keep`` the last 2 checkpoints: ours. ``seed`` decides the order of the
    data, dropout and new weights.
    """

    output: str = "runs/causal2vec"
    steps: int = 1000
    batch_size: int = 512
    mini_batch_size: int = 32
    lr: float = 2e-4
    warmup_steps: int = 300
    schedule: Schedule = "linear"
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 42
    precision: Precision = "bf16"
    gradient_checkpointing: bool = True
    save_every: int = 100
    eval_every: int = 100
    log_every: int = 10
    keep: int = 2
    workers: int = 0

    def __post_init__(self) -> None:
        for key in ("steps", "save_every", "eval_every", "log_every", "keep"):
            _expect(getattr(self, key) >= 1, f"{key} is {getattr(self, key)}; expected at least 1")
        for key in ("mini_batch_size", "warmup_steps", "weight_decay", "clip", "seed", "workers"):
            _expect(getattr(self, key) >= 0, f"{key} is {getattr(self, key)}; expected at least 0")
        _expect(self.batch_size >= 2, f"batch_size is {self.batch_size}; expected at least 2: a batch has negatives")
        _expect(self.lr > 0, f"lr is {self.lr}; expected more than 0")
        _expect(bool(self.output), "output is empty; expected a folder")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A whole run: one value for each table of the file.

    >>> config = TrainingConfig(model=ModelSettings(start="c2v-mini"), data=DataSettings(files=("pairs.jsonl",)))
    >>> config.loss.temperature, config.lora.rank, config.training.batch_size
    (0.02, 16, 512)
    """

    model: ModelSettings
    data: DataSettings
    loss: LossSettings = LossSettings()
    lora: LoraSettings = LoraSettings()
    training: RunSettings = RunSettings()

    def to_record(self) -> dict[str, Any]:
        """Plain values by table, as they are stored beside a run."""
        record: dict[str, Any] = _plain(dataclasses.asdict(self))
        return record


def read_config(path: Path, *, settings: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file; paths in it are relative to the working directory, as everywhere else.

    Args:
        path: The file.
        settings: Changes to it, such as ``"training.steps=10"``; values as TOML writes them, or bare texts.

    Raises:
        InvalidConfig: The file cannot be read, or has a table, a key or a value that cannot be.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"{visible_line(str(path))} cannot be read: {error}; expected a TOML file") from error
    for setting in settings:
        _apply(data, setting)
    try:
        return make_config(data)
    except InvalidConfig as error:
        raise InvalidConfig(f"{visible_line(str(path))}: {error}") from error


def make_config(data: Mapping[str, Any]) -> TrainingConfig:
    """Check a dictionary of tables and make the value.

    >>> make_config({"model": {"start": "c2v-mini"}, "data": {"files": ["a.jsonl"]}, "training": {"step": 5}})
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: unknown key 'step' in [training]; did you mean 'steps'?
    """
    hints = typing.get_type_hints(TrainingConfig)
    _refuse_unknown(data, hints, "table", "")
    sections = {}
    for name, kind in hints.items():
        table = data.get(name, {})
        _expect(isinstance(table, Mapping), f"{name} is {table!r}; expected a table [{name}]")
        sections[name] = _section(kind, table, name)
    return TrainingConfig(**sections)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Lines that name each setting two records differ in.

    >>> differences({"training": {"lr": 0.1, "seed": 1}}, {"training": {"lr": 0.2, "seed": 1}})
    ['training.lr: 0.1 -> 0.2']
    """
    flat = [
        {f"{table}.{key}": value for table, keys in record.items() for key, value in keys.items()}
        for record in (before, after)
    ]
    names = [*flat[0], *(name for name in flat[1] if name not in flat[0])]
    absent = "(absent)"
    return [
        f"{name}: {flat[0].get(name, absent)} -> {flat[1].get(name, absent)}"
        for name in names
        if flat[0].get(name, absent) != flat[1].get(name, absent)
    ]


def _section(kind: type[Section], table: Mapping[str, Any], name: str) -> Section:
    hints = typing.get_type_hints(kind)
    _refuse_unknown(table, hints, "key", f" in [{name}]")
    values = {key: _value(f"{name}.{key}", hints[key], value) for key, value in table.items()}
    return kind(**values)


def _refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], what: str, where: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise InvalidConfig(f"unknown {what} {key!r}{where}; {hint}")


def _value(name: str, kind: Any, value: Any) -> Any:
    """A value as its type wants it: integers may stand for floats, lists become tuples."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        _expect(value in arguments, f"{name} is {value!r}; expected one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (Union, types.UnionType):  # an optional one: TOML has no null, so it is there
        return _value(name, next(argument for argument in arguments if argument is not type(None)), value)
    if origin is tuple:
        _expect(isinstance(value, (list, tuple)), f"{name} is {value!r}; expected a list")
        return tuple(_value(f"{name}[{place}]", arguments[0], item) for place, item in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(value, Mapping), f"{name} is {value!r}; expected a table")
        return {key: _value(f"{name}.{key}", arguments[1], item) for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    _expect(fits, f"{name} is {value!r}, a {type(value).__name__}; expected {kind.__name__}")
    return value


def _apply(data: dict[str, Any], setting: str) -> None:
    """``table.key=value`` into the tables; the key of an inner table may hold more dots."""
    name, equals, text = setting.partition("=")
    table, dot, key = name.strip().partition(".")
    _expect(bool(equals and dot and key), f"--set {setting!r} cannot be read; expected table.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    section = data.setdefault(table, {})
    _expect(isinstance(section, dict), f"--set {setting!r}: {table} is no table")
    outer, dot, inner = key.partition(".")
    if dot:
        section = section.setdefault(outer, {})
        _expect(isinstance(section, dict), f"--set {setting!r}: {table}.{outer} is no table")
    section[inner or outer] = value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
