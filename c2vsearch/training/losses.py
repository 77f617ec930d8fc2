"""What is minimised. Pure functions of unit rows; Q queries, N documents, row i of the documents answers query i."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(queries: Tensor, documents: Tensor, *, temperature: float, first: int = 0) -> Tensor:
    """In-batch contrastive loss: ``-log softmax_j(q_i . d_j / temperature)[first + i]``, averaged over i.

    Rows that answer no query are hard negatives for every query (van den Oord et al., arXiv 1807.03748, eq. 4).
    ``first`` is the row of the first query's answer: on several devices, other devices' answers may stand before it.

    Shape: queries (Q, D), documents (N, D) with N >= first + Q; result ().
    """
    scores = queries @ documents.T / temperature  # (Q, N)
    return F.cross_entropy(scores, torch.arange(first, first + len(queries), device=scores.device))


def distillation(student: Tensor, teacher: Tensor, *, temperature: float, teacher_temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student's ranking of the batch from the teacher's.

    Two temperatures, because the two may spread their cosines over different ranges.

    Shape: both (Q, N), cosines; result ().
    """
    target = F.softmax(teacher / teacher_temperature, dim=1)
    return F.kl_div(F.log_softmax(student / temperature, dim=1), target, reduction="batchmean")
