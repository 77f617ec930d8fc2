"""One variant with one seed: train on pairs, then embed the evaluation sets and measure nDCG@10 of every query.

The pairs, their order and the batches depend on the seed alone, never on the variant.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ablations.backbone import schedule
from ablations.variants import Embedder, TokenSequence, Variant, collate, lay_out, mean_pool
from c2vsearch.evaluation.datasets import Questions, read_questions
from c2vsearch.evaluation.evaluate import measure_run
from c2vsearch.training.losses import info_nce
from c2vsearch.training.pairs import Pair, batches

BATCH_TEXTS = 32
DEPTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Training of one run. ``temperature`` as in the literature's 0.02 to 0.05; the rest is what fits a CPU."""

    steps: int = 60
    pairs: int = 32
    train_tokens: int = 64
    eval_tokens: int = 128
    learning_rate: float = 1e-3
    temperature: float = 0.05
    freeze_encoder: bool = True
    instruction: str = "Instruct: Given a question, retrieve passages that answer it\nQuery: "


@dataclass(frozen=True, slots=True)
class EvalSet:
    """A BEIR folder in memory: documents by id, in order, and its questions."""

    name: str
    documents: dict[str, str]
    questions: Questions


def read_set(folder: Path) -> EvalSet:
    """Titles stand in front of texts."""
    documents = {}
    with (folder / "corpus.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            documents[str(row["_id"])] = f"{row.get('title') or ''} {row['text']}".strip()
    return EvalSet(folder.name, documents, read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv"))


class Texts:
    """Texts to token ids, special tokens left out, cut to a number of tokens; remembers them."""

    def __init__(self, tokenizer: Tokenizer, *, cls: int, eos: int) -> None:
        self.cls, self.eos = cls, eos
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def ids(self, text: str, limit: int) -> list[int]:
        """Token ids of a text, at most ``limit``."""
        if text not in self._known:
            self._known[text] = self._tokenizer.encode(text, add_special_tokens=False).ids[:512]
        return self._known[text][:limit]


class TextEncoder:
    """The encoder half: text vectors, remembered as long as its weights stand still."""

    def __init__(self, encoder: torch.nn.Module, texts: Texts, *, frozen: bool) -> None:
        self.encoder, self.texts, self.frozen = encoder.requires_grad_(not frozen), texts, frozen
        encoder.get_input_embeddings().requires_grad_(False)  # token vectors stand still in every variant
        self._known: dict[tuple[str, int], Tensor] = {}

    def vectors(self, texts: Sequence[str], limit: int, *, remember: bool) -> Tensor:
        """Mean states of ``[CLS] text [SEP]``. Shape: (B, K)."""
        if not remember:
            return self._encode(texts, limit)
        missing = sorted({text for text in texts if (text, limit) not in self._known}, key=len)
        with torch.no_grad():
            for start in range(0, len(missing), BATCH_TEXTS):
                part = missing[start : start + BATCH_TEXTS]
                rows = self._encode(part, limit)
                self._known |= {(text, limit): row for text, row in zip(part, rows, strict=True)}
        return torch.stack([self._known[text, limit] for text in texts])

    def _encode(self, texts: Sequence[str], limit: int) -> Tensor:
        rows = [[self.texts.cls, *self.texts.ids(text, limit), self.texts.eos] for text in texts]
        batch = collate([TokenSequence(tuple(row), None, ((0,),)) for row in rows])
        with torch.autocast("cpu", torch.bfloat16):
            return mean_pool(self.encoder, batch.ids, batch.mask).float()


class Model:
    """One variant as a function from texts to unit rows."""

    def __init__(self, embedder: Embedder, texts: Texts, encoder: TextEncoder | None, config: RunConfig) -> None:
        self.embedder, self.texts, self.encoder, self.config = embedder, texts, encoder, config

    def embed(self, texts: Sequence[str], *, query: bool, limit: int) -> Tensor:
        """Shape: (B, D)."""
        instruction = self.texts.ids(self.config.instruction, 512) if query else []
        sequences = [
            lay_out(
                self.embedder.variant, instruction=instruction, text=self.texts.ids(text, limit), eos=self.texts.eos
            )
            for text in texts
        ]
        vectors = None
        if self.encoder is not None:
            vectors = self.encoder.vectors(texts, limit, remember=self.encoder.frozen)
        with torch.autocast("cpu", torch.bfloat16):
            embeddings: Tensor = self.embedder(collate(sequences), vectors)
        return embeddings

    @torch.no_grad()
    def embed_all(self, texts: Sequence[str], *, query: bool) -> Tensor:
        """All texts, those of like length together. Shape: (N, D)."""
        limit = self.config.eval_tokens
        order = sorted(range(len(texts)), key=lambda number: len(self.texts.ids(texts[number], limit)))
        rows: list[Tensor] = [torch.empty(0)] * len(texts)
        for start in range(0, len(order), BATCH_TEXTS):
            part = order[start : start + BATCH_TEXTS]
            embedded = self.embed([texts[number] for number in part], query=query, limit=limit)
            for number, row in zip(part, embedded, strict=True):
                rows[number] = row
        return torch.stack(rows)

    def trained(self) -> list[torch.nn.Parameter]:
        """What training changes: the decoder but its token vectors, the projector, an encoder that is not frozen."""
        modules = [self.embedder] + ([self.encoder.encoder] if self.encoder and not self.encoder.frozen else [])
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]


def train(model: Model, sources: dict[str, list[Pair]], weights: dict[str, float], *, seed: int) -> list[float]:
    """InfoNCE with in-batch negatives; the loss of every step."""
    config = model.config
    trained = model.trained()
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.01)
    drawn = batches(sources, weights, size=config.pairs, seed=seed)
    losses = []
    for step in range(config.steps):
        pairs = next(drawn)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step, config.steps)
        queries = model.embed([pair.query for pair in pairs], query=True, limit=config.train_tokens)
        documents = model.embed([pair.positive for pair in pairs], query=False, limit=config.train_tokens)
        loss = info_nce(queries, documents, temperature=config.temperature)
        if not torch.isfinite(loss):
            raise SystemExit(f"the loss is {loss.item()} at step {step}: lower the learning rate")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def measure(documents: Tensor, queries: Tensor, evaluated: EvalSet) -> list[float]:
    """nDCG@10 of every query, exact search. Shape: documents (N, D), queries (Q, D), unit rows."""
    names = list(evaluated.documents)
    scores, places = (queries @ documents.T).topk(min(DEPTH, len(names)), dim=1)
    run = {
        query: {names[place]: score for place, score in zip(row_places, row_scores, strict=True)}
        for query, row_places, row_scores in zip(
            evaluated.questions.queries, places.tolist(), scores.tolist(), strict=True
        )
    }
    return list(measure_run("dense", run, evaluated.questions, ("nDCG@10",)).values["nDCG@10"])


def quality(model: Model, sets: Sequence[EvalSet]) -> dict[str, list[float]]:
    """nDCG@10 of every query of every set."""
    return {
        one.name: measure(
            model.embed_all(list(one.documents.values()), query=False),
            model.embed_all(list(one.questions.queries.values()), query=True),
            one,
        )
        for one in sets
    }


def encoder_quality(encoder: TextEncoder, sets: Sequence[EvalSet], limit: int) -> dict[str, list[float]]:
    """The same of the encoder alone, without instruction and untrained."""

    def rows(texts: Sequence[str]) -> Tensor:
        return torch.nn.functional.normalize(encoder.vectors(texts, limit, remember=True), dim=1)

    return {
        one.name: measure(rows(list(one.documents.values())), rows(list(one.questions.queries.values())), one)
        for one in sets
    }


def run_variant(
    model: Model, sources: dict[str, list[Pair]], weights: dict[str, float], sets: Sequence[EvalSet], *, seed: int
) -> dict[str, Any]:
    """Train and measure; the result as it is stored."""
    began = time.perf_counter()
    losses = train(model, sources, weights, seed=seed)
    trained = time.perf_counter()
    model.embedder.eval()
    measured = quality(model, sets)
    return {
        "seed": seed,
        "parameters_trained": sum(parameter.numel() for parameter in model.trained()),
        "loss_first": sum(losses[:10]) / len(losses[:10]),
        "loss_last": sum(losses[-10:]) / len(losses[-10:]),
        "train_s": round(trained - began, 1),
        "evaluate_s": round(time.perf_counter() - trained, 1),
        "nDCG@10": measured,
    }


def make_model(
    variant: Variant,
    decoder: torch.nn.Module,
    texts: Texts,
    encoder: TextEncoder | None,
    config: RunConfig,
    *,
    seed: int,
) -> Model:
    """The variant over a fresh copy of the backbone; the seed decides the projector's start."""
    torch.manual_seed(seed)
    width = encoder.encoder.config.hidden_size if encoder is not None else 0
    return Model(Embedder(variant, decoder, encoder_width=width), texts, encoder, config)
