"""A model of your own texts from one command: pairs of an index, hard negatives, a short training, before and after.

The trained weights are averaged with those they started from (Wortsman et al., arXiv 2109.01903): a short training on
few texts forgets, and the average keeps most of both. What is measured is what is used: the exported folder.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from c2vsearch.artifacts import to_json, write_bytes
from c2vsearch.collection import Collection
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.encoder import load_encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.model.checkpoint import find_model
from c2vsearch.model.spec import read_spec
from c2vsearch.terminal import visible_line
from c2vsearch.training.adaptation import KINDS, Gain, Kind, PairRanks, adaptation_pairs, evaluate_pairs, gain
from c2vsearch.training.config import (
    DataSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
    RunSettings,
    TrainingConfig,
)
from c2vsearch.training.lines import write_lines
from c2vsearch.training.mining import MiningConfig, mine
from c2vsearch.training.pairs import Pair

Train = Callable[[TrainingConfig], Path]  # runs a configuration and gives the folder of the trained model
PAIRS, MINED, RUN, MODEL, REPORT = "pairs.jsonl", "mined.jsonl", "run", "model", "report.json"
RECALL_AT = (1, 10)
MINING_DEPTH = 1000  # the positives of sentences taken out score low: what lies clearly below them is far down


@dataclass(frozen=True, kw_only=True)
class AdaptConfig:
    """How a model is adapted.

    Args:
        model: What it starts from.
        seed: Of the split, the pairs and the training.
        held_out: The share of the documents to measure with.
        include: Kinds of pairs.
        epochs: How often each pair is seen, up to ``max_steps``.
        batch_size: Pairs of a step, each with one hard negative.
        max_steps: Steps at most.
        lr: Highest learning rate.
        blend: The share of the trained weights in the model that is written; the rest is where they started from.
        max_tokens: Tokens of a passage in training.
        freeze_encoder: Train the decoder and the projector alone: several times quicker on a CPU.

    >>> AdaptConfig(blend=2.0)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: blend is 2.0; expected above 0 and at most 1
    """

    model: str = DEFAULT_MODEL
    seed: int = 0
    held_out: float = 0.1
    include: tuple[Kind, ...] = KINDS
    epochs: int = 3
    batch_size: int = 32
    max_steps: int = 300
    lr: float = 5e-5
    blend: float = 0.5
    max_tokens: int = 192
    freeze_encoder: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.blend <= 1:
            raise InvalidConfig(f"blend is {self.blend}; expected above 0 and at most 1")
        for name, least in (("epochs", 1), ("batch_size", 2), ("max_steps", 1), ("max_tokens", 1)):
            if getattr(self, name) < least:
                raise InvalidConfig(f"{name} is {getattr(self, name)}; expected at least {least}")

    def steps(self, pairs: int) -> int:
        """Steps for so many pairs."""
        return max(1, min(self.max_steps, self.epochs * pairs // self.batch_size))


@dataclass(frozen=True, slots=True)
class Adapted:
    """What was written and what it is worth on questions of documents it has not seen."""

    folder: Path
    pairs: int
    questions: int
    documents: int
    dropped: int
    before: PairRanks
    after: PairRanks
    gain: Gain


def adapt(index: Path, out: Path, *, config: AdaptConfig | None = None, train: Train | None = None) -> Adapted:
    """Train a model on an index and measure it on held-out documents.

    Args:
        index: The index, made by any model.
        out: A folder that does not exist: the pairs, the run, the ``model`` and ``report.json``.
        config: How.
        train: What runs a training configuration; `c2vsearch.training.train` by default.

    Raises:
        InvalidConfig: ``out`` exists.
        InvalidDataset: The index gives too little to train on and to measure with.
    """
    from c2vsearch.encoder.export import export_model

    settings = config or AdaptConfig()
    if out.exists():
        raise InvalidConfig(
            f"{visible_line(str(out))} exists; expected a place where nothing is: give another --out, or remove it"
        )
    start = find_model(settings.model)
    with Collection.open(index) as collection:
        found = adaptation_pairs(
            collection, seed=settings.seed, held_out=settings.held_out, include=settings.include
        )  # fmt: skip
    encoder = load_encoder(settings.model)
    before = evaluate_pairs(encoder, found.held_out)
    write_lines(out / PAIRS, map(_row, found.train))
    mining = MiningConfig(negatives=1, depth=MINING_DEPTH, same_group="exclude", drop_few=True)
    mined = mine([out / PAIRS], out / MINED, encoder=encoder, config=mining).mined
    trained = (train or _train)(recipe(settings, pairs=mined, out=out))
    blended = out / RUN / "blended"
    blend(start, trained, blended, share=settings.blend, name=f"{read_spec(start).name}-{index.resolve().name}")
    export_model(blended, out=out / MODEL)
    after = evaluate_pairs(load_encoder(out / MODEL), found.held_out)
    documents = len(set(found.held_out.sources.values()))
    adapted = Adapted(
        out / MODEL, mined, len(found.held_out.queries), documents, found.dropped,
        before, after, gain(before, after, seed=settings.seed),
    )  # fmt: skip
    write_bytes(out / REPORT, to_json(record(adapted)))
    return adapted


def _train(config: TrainingConfig) -> Path:
    from c2vsearch.training import train

    return train(config).folder


def recipe(config: AdaptConfig, *, pairs: int, out: Path) -> TrainingConfig:
    """The training run: whole weights instead of adapters, because the model is small, and briefly."""
    steps = config.steps(pairs)
    return TrainingConfig(
        model=ModelSettings(start=config.model, freeze_encoder=config.freeze_encoder),
        data=DataSettings(
            files=(str(out / MINED),), hard_negatives=1, max_query_tokens=64, max_document_tokens=config.max_tokens
        ),
        loss=LossSettings(temperature=0.05),
        lora=LoraSettings(enabled=False),
        training=RunSettings(
            output=str(out / RUN), steps=steps, batch_size=config.batch_size, mini_batch_size=0, lr=config.lr,
            warmup_steps=max(1, steps // 10), seed=config.seed, precision="fp32", gradient_checkpointing=False,
            save_every=steps, eval_every=steps, keep=1,
        ),
    )  # fmt: skip


def blend(start: Path, trained: Path, out: Path, *, share: float, name: str) -> None:
    """Write the average of two models of one shape: ``share`` of the second, the rest of the first.

    What searching with the first was found to need, and the codec of its token states, go with it.
    """
    import torch

    from c2vsearch.model import checkpoint
    from c2vsearch.model.profile import PROFILE_FILE
    from c2vsearch.model.token_codec import CODEC_FILE
    from c2vsearch.model.tokens import TextTokenizer

    model, other = checkpoint.load(start), checkpoint.load(trained).state_dict()
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(other[key].to(tensor.dtype), share)
    model.spec = dataclasses.replace(model.spec, name=name)
    checkpoint.save(model, out, tokenizers=TextTokenizer.open(start, model.spec))
    for file in (PROFILE_FILE, CODEC_FILE):
        if (start / file).is_file():
            shutil.copyfile(start / file, out / file)


def record(adapted: Adapted) -> dict[str, object]:
    """The outcome as plain values."""
    return {
        "model": str(adapted.folder), "pairs": adapted.pairs, "dropped_as_copies": adapted.dropped,
        "held_out": {"questions": adapted.questions, "documents": adapted.documents},
        "before": _measures(adapted.before), "after": _measures(adapted.after),
        "gain_ndcg@10": dataclasses.asdict(adapted.gain), "better": adapted.gain.better,
    }  # fmt: skip


def verdict(adapted: Adapted) -> str:
    """One sentence that claims no more than the interval does."""
    change = adapted.gain
    numbers = f"{change.mean:+.4f} nDCG@10, 95 % interval {change.low:+.4f} to {change.high:+.4f}"
    if change.better:
        return f"better on documents it has not seen: {numbers}"
    if change.high < 0:
        return f"WORSE on documents it has not seen: {numbers}; keep the model you had"
    return f"not shown to be better: {numbers} holds 0; keep the model you had, or hold out more documents"


def _measures(ranks: PairRanks) -> dict[str, float]:
    return {"nDCG@10": ranks.ndcg(10), **{f"R@{k}": ranks.recall(k) for k in RECALL_AT}}


def _row(pair: Pair) -> dict[str, str]:
    return {"query": pair.query, "positive": pair.positive, "group": pair.group, "kind": pair.source}
