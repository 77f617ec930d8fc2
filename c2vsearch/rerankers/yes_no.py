r"""A causal language model asked whether a text answers a query: the probability of "yes" against "no".

The prompt is Qwen3-Reranker's (arXiv 2506.05176), token for token where the model knows its marks; others are asked the
same question in their own chat template, or in plain words. The answer is read off the next token's logits, and nothing
is written.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.rerankers.batches import Encoded, batched, padded
from c2vsearch.rerankers.pretrained import Pretrained, clipped

TASK = "Given a web search query, retrieve relevant passages that answer the query"
SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
MARK = "<|im_start|>"
FRAME = (
    f"{MARK}system\n{SYSTEM}<|im_end|>\n{MARK}user\n",
    f"<|im_end|>\n{MARK}assistant\n<think>\n\n</think>\n\n",
)
PLACEHOLDER = "TEXT-TO-BE-JUDGED"
QUERY_SHARE = 4  # of the room, one part in four is a query's at most


class YesNoReranker:
    """Qwen3-Reranker, or any causal language model that answers yes or no.

    Scores lie in [0, 1] and do not depend on batch or padding beyond rounding (1e-5 in float32). A text the model has
    no room for is read from its beginning.
    """

    weight = 1.0

    def __init__(self, model: Pretrained, *, instruction: str = TASK, batch_tokens: int | None = None) -> None:
        self._source = model
        self._instruction = instruction
        self._batch_tokens = batch_tokens
        self._yes, self._no = _answers(model)
        self._before, self._after = (_ids(model.tokenizer, part) for part in frame(model.tokenizer))
        head = _ids(model.tokenizer, f"<Instruct>: {instruction}\n<Query>: \n<Document>: ")
        self._room = model.max_tokens - len(self._before) - len(self._after)
        if self._room - len(head) < QUERY_SHARE:
            raise InvalidConfig(f"{model.name} reads {model.max_tokens} tokens, too few for the prompt of a reranker")
        self._model = model.weights("AutoModelForCausalLM")
        self._known = set(inspect.signature(self._model.forward).parameters)

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order.

        Raises:
            OutOfDeviceMemory: One text alone does not fit on the device.
            CorruptFile: The weights give numbers that are not finite.
        """
        short = clipped(self._source.tokenizer, query, self._room // QUERY_SHARE)
        sequences = [self._encoded(short, text) for text in texts]
        return batched(sequences, self._judge, device=self._source.device, batch_tokens=self._batch_tokens)

    def _encoded(self, query: str, text: str) -> Encoded:
        asked = f"<Instruct>: {self._instruction}\n<Query>: {query}\n<Document>: {text}"
        ids = [*self._before, *_ids(self._source.tokenizer, asked)[: self._room], *self._after]
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "position_ids": list(range(len(ids)))}

    def _judge(self, batch: list[Encoded]) -> list[float]:
        """The last logits are one column when padding stands on the left."""
        padding = {"input_ids": self._source.padding_id}
        inputs: dict[str, Any] = padded(batch, padding=padding, left=True, device=self._source.device)
        if "logits_to_keep" in self._known:
            inputs["logits_to_keep"] = 1
        inputs = {name: value for name, value in inputs.items() if name in self._known}
        logits = self._model(**inputs, use_cache=False).logits[:, -1, [self._no, self._yes]].double()
        if not logits.isfinite().all():
            raise CorruptFile(f"{self._source.name} gives numbers that are not finite; its weights are damaged")
        return [float(score) for score in logits.log_softmax(dim=1)[:, 1].exp().tolist()]


def frame(tokenizer: Any) -> tuple[str, str]:
    """What stands before and after the question, in the way a model is talked to."""
    if MARK in tokenizer.get_vocab():
        return FRAME
    if not tokenizer.chat_template:
        return f"{SYSTEM}\n\n", '\n\nAnswer ("yes" or "no"):'
    # One turn of the user, because not every template knows a system.
    turn = [{"role": "user", "content": f"{SYSTEM}\n\n{PLACEHOLDER}"}]
    told = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    before, _, after = str(told).partition(PLACEHOLDER)
    return before, after


def _answers(model: Pretrained) -> tuple[int, int]:
    """The token ids of "yes" and "no".

    Raises:
        InvalidConfig: The vocabulary does not tell them apart by their first token.
    """
    vocabulary = model.tokenizer.get_vocab()
    known = [
        vocabulary[word] if word in vocabulary else next(iter(_ids(model.tokenizer, word)), None)
        for word in ("yes", "no")
    ]
    yes, no = known
    if yes is None or no is None or yes == no or model.tokenizer.unk_token_id in known:
        raise InvalidConfig(f"the vocabulary of {model.name} has no tokens for yes and no; take listwise:{model.name}")
    return int(yes), int(no)


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
