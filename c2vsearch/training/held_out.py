"""How well held-out pairs are found again: each query among all held-out answers, for the whole and for each half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from c2vsearch.integrations.sentence_transformers import Causal2VecModule
from c2vsearch.training.config import TrainingConfig
from c2vsearch.training.pairs import Pair

DEPTH = 10
TEXTS_AT_ONCE = 64


def evaluator(
    module: Causal2VecModule, held_out: Mapping[str, Sequence[Pair]], config: TrainingConfig
) -> Callable[[], dict[str, float]]:
    """A function that measures the model as it is now.

    It gives ``mrr@10`` (mean over data sets), ``mrr@10_context`` and ``mrr@10_eos`` for each half alone, and
    ``mrr@10_DIM`` for each shorter width that is trained.
    """
    spec = module.model.spec
    answers = list(dict.fromkeys(pair.positive for pairs in held_out.values() for pair in pairs))
    places = {text: place for place, text in enumerate(answers)}
    targets = {name: torch.tensor([places[pair.positive] for pair in pairs]) for name, pairs in held_out.items()}

    def views(rows: Tensor) -> dict[str, Tensor]:
        """The whole, its halves, its shorter forms; all of unit length."""
        from c2vsearch.model.truncation import kept_columns

        shorter = {
            f"_{dim}": normalize(rows[:, kept_columns(spec.dim, dim, parts=spec.parts)], dim=1)
            for dim in config.loss.matryoshka
        }
        if spec.parts == 1:
            return {"": rows, **shorter}
        context, eos = (normalize(half, dim=1) for half in rows.chunk(2, dim=1))
        return {"": rows, "_context": context, "_eos": eos, **shorter}

    def evaluate() -> dict[str, float]:
        documents = views(_rows(module, answers, spec.document_template, config.data.max_document_tokens, config))
        means: dict[str, list[float]] = {}
        for name, pairs in held_out.items():
            prompt = spec.instruction(config.data.tasks.get(name))
            texts = [pair.query for pair in pairs]
            for view, rows in views(_rows(module, texts, prompt, config.data.max_query_tokens, config)).items():
                value = reciprocal_rank(rows @ documents[view].T, targets[name])
                means.setdefault(f"mrr@{DEPTH}{view}", []).append(value)
        return {name: sum(values) / len(values) for name, values in means.items()}

    return evaluate


def reciprocal_rank(scores: Tensor, targets: Tensor) -> float:
    """Mean over rows of 1 / rank of the target, 0 below the depth; equal scores count against it.

    Shape: scores (Q, N), targets (Q,).

    >>> reciprocal_rank(torch.tensor([[0.9, 0.1], [0.8, 0.3]]), torch.tensor([0, 1]))
    0.75
    """
    own = scores.gather(1, targets[:, None])
    ranks = (scores >= own).sum(dim=1)
    return float(torch.where(ranks <= DEPTH, 1.0 / ranks, torch.zeros(())).mean())


@torch.no_grad()
def _rows(module: Causal2VecModule, texts: Sequence[str], prompt: str, tokens: int, config: TrainingConfig) -> Tensor:
    """Embeddings as the model would give them, on the CPU. Shape: (N, D)."""
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    rows: list[Tensor] = []
    with torch.autocast(device.type, torch.bfloat16, enabled=config.training.precision == "bf16"):
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            features: dict[str, Any] = module.preprocess(
                texts[start : start + TEXTS_AT_ONCE], prompt=prompt, max_length=tokens
            )
            features = {name: tensor.to(device) for name, tensor in features.items()}
            rows.append(module(features)["sentence_embedding"].float().cpu())
    module.train(was_training)
    return torch.cat(rows)
