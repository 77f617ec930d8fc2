"""A cross-encoder: query and text read as one sequence, judged by a classification head (BERT, bge-reranker ...).

Nogueira & Cho, 2019 (arXiv 1901.04085). A head of one label gives the sigmoid of it, as sentence-transformers does by
default; a head of two, the probability that it is relevant. Of a text too long for the model its beginning is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.rerankers.batches import Encoded, batched, padded
from c2vsearch.rerankers.pretrained import Pretrained

RELEVANT = ("relevant", "yes", "true", "positive", "1")


class CrossEncoder:
    """Any model saved for sequence classification with one label or two.

    Scores lie in [0, 1] and do not depend on batch or padding beyond rounding (1e-6 in float32).
    """

    weight = 1.0

    def __init__(self, model: Pretrained, *, batch_tokens: int | None = None) -> None:
        labels = int(model.config.num_labels)
        if labels not in (1, 2):
            raise InvalidConfig(f"{model.name} tells {labels} labels apart; expected a reranker, with one label or two")
        self._source = model
        self._batch_tokens = batch_tokens
        self._model = model.weights("AutoModelForSequenceClassification")
        self._relevant = _relevant(model.config.id2label) if labels == 2 else None

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order.

        Raises:
            OutOfDeviceMemory: One text alone does not fit on the device.
            CorruptFile: The weights give numbers that are not finite.
        """
        if not texts:
            return []
        pairs = self._source.tokenizer(
            [query] * len(texts), list(texts), truncation="longest_first", max_length=self._source.max_tokens,
            return_attention_mask=True,
        )  # fmt: skip
        sequences = [{name: values[number] for name, values in pairs.items()} for number in range(len(texts))]
        return batched(sequences, self._judge, device=self._source.device, batch_tokens=self._batch_tokens)

    def _judge(self, batch: list[Encoded]) -> list[float]:
        padding = {"input_ids": self._source.padding_id, "token_type_ids": self._source.tokenizer.pad_token_type_id}
        inputs = padded(batch, padding=padding, left=False, device=self._source.device)
        logits = self._model(**inputs).logits.double()
        if not logits.isfinite().all():
            raise CorruptFile(f"{self._source.name} gives numbers that are not finite; its weights are damaged")
        found = logits[:, 0].sigmoid() if self._relevant is None else logits.softmax(dim=1)[:, self._relevant]
        return [float(score) for score in found.tolist()]


def _relevant(labels: dict[int, str]) -> int:
    """Which of two labels says that a text is relevant: by its name, else the second.

    >>> _relevant({0: "relevant", 1: "irrelevant"}), _relevant({0: "LABEL_0", 1: "LABEL_1"})
    (0, 1)
    """
    named = [number for number, label in labels.items() if str(label).lower() in RELEVANT]
    return int(named[0]) if len(named) == 1 else 1
