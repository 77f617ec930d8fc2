"""The loss of a batch of texts, with gradient caching: a batch of any size in the memory of a small one.

The caching is that of sentence-transformers (Gao et al., arXiv 2101.06983): embed without gradients, compute the loss
and its gradients by the embeddings, embed again in small parts with those. The formula is ours, because an embedding
of two halves is shortened half by half, and because teacher scores and hard negatives come together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin
from sentence_transformers.util import all_gather_with_grad, get_rank, get_world_size
from torch import Tensor, nn
from torch.nn.functional import normalize

from c2vsearch.model.spec import ModelSpec
from c2vsearch.model.truncation import kept_columns
from c2vsearch.training.config import LossSettings
from c2vsearch.training.losses import distillation, info_nce


class Objective(CachedLossMixin, nn.Module):
    """A number for columns of texts: queries, their answers, and hard negatives of each.

    ``mini_batch_size`` texts are in memory at once; 0 computes the whole batch in one go. On several devices every
    query is compared with the documents of all of them.
    """

    def __init__(self, model: nn.Module, spec: ModelSpec, settings: LossSettings, *, mini_batch_size: int) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.mini_batch_size = mini_batch_size
        self.uses_gradient_cache = mini_batch_size > 0
        self._parts = spec.parts
        widths = (spec.dim, *(dim for dim in settings.matryoshka if dim != spec.dim))
        self._columns = [kept_columns(spec.dim, dim, parts=spec.parts) for dim in widths]
        self._sums: dict[str, float] = {}
        self._count = 0

    def forward(self, features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        """Shape: features of B texts each, labels (B, 1 + negatives) of a teacher or none; result ()."""
        columns = list(features)
        if self.uses_gradient_cache:
            loss: Tensor = self.forward_cached(columns, labels)
            return loss
        return self.calculate_loss([[self.model(column)["sentence_embedding"]] for column in columns], labels)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss from the embeddings, each column in parts; what the caching calls. Shape of a part: (b, D)."""
        columns = [torch.cat(parts) for parts in reps]
        with torch.autocast(columns[0].device.type, enabled=False):  # cosines over 0.02 need more than 8 bits
            loss = self._loss(columns[0].float(), [column.float() for column in columns[1:]], labels)
        if with_backward:
            loss.backward()
            loss = loss.detach()
        return loss

    def take_parts(self) -> dict[str, float]:
        """Mean of each part of the loss since the last call."""
        means = {name: total / self._count for name, total in self._sums.items()} if self._count else {}
        self._sums, self._count = {}, 0
        return means

    def _loss(self, queries: Tensor, documents: list[Tensor], teacher: Tensor | None) -> Tensor:
        many = get_world_size() > 1
        everywhere = torch.cat([all_gather_with_grad(column) if many else column for column in documents])
        first = get_rank() * len(queries)
        terms: dict[str, Tensor] = {}
        for columns in self._columns:
            short = [normalize(rows[:, columns], dim=1) for rows in (queries, everywhere)]
            name = "contrast" if columns is self._columns[0] else f"contrast_{len(columns)}"
            terms[name] = self._contrast(short[0], short[1], first)
            if teacher is not None and self.settings.distill_weight:
                own = torch.stack(
                    [normalize(column[:, columns], dim=1) for column in documents], dim=1
                )  # (B, 1 + k, d)
                student = torch.einsum("bd,bkd->bk", short[0], own)
                terms[name.replace("contrast", "distill")] = self.settings.distill_weight * distillation(
                    student,
                    teacher.to(student),
                    temperature=self.settings.temperature,
                    teacher_temperature=self.settings.teacher_temperature,
                )
        for name, weight, half in (
            ("context", self.settings.context_weight, 0),
            ("eos", self.settings.eos_weight, 1),
        ):
            if weight and self._parts == 2:
                rows = [normalize(side.chunk(2, dim=1)[half], dim=1) for side in (queries, everywhere)]
                terms[name] = weight * self._contrast(rows[0], rows[1], first)
        for name, term in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + term.item()
        self._count += 1
        return torch.stack(list(terms.values())).sum()

    def _contrast(self, queries: Tensor, documents: Tensor, first: int) -> Tensor:
        return info_nce(queries, documents, temperature=self.settings.temperature, first=first)
