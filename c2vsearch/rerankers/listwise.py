"""A causal language model that reads several texts at once and writes their order (RankGPT).

Sun et al., EMNLP 2023 (arXiv 2304.09542): a window slides over the candidates from the last to the first. Everything is
said in one turn of the user, in the model's chat template where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.optional import hushed
from c2vsearch.rerankers.permutation import parse_permutation, slide
from c2vsearch.rerankers.pretrained import Pretrained, clipped

WINDOW, STEP = 20, 10
PASSAGE_TOKENS = 300
LEAST_TOKENS = 16  # of a passage; where there is room for fewer, the window holds fewer passages
QUERY_SHARE = 8  # of the model's tokens, one part in eight is a query's at most
_IDENTIFIER = re.compile(r"\[(\d+)\]")


class ListwiseReranker:
    """Any causal language model that follows instructions. The score is the place in its order, from 1 down to 0.

    A passage is read from its beginning, up to 300 tokens. What the model answers is a permutation whatever it is
    (`c2vsearch.rerankers.permutation`).
    """

    weight = 1.0

    def __init__(self, model: Pretrained, *, window: int = WINDOW, step: int | None = None) -> None:
        if window < 2 or (step is not None and not 1 <= step < window):
            raise InvalidConfig(f"a window of {window} with a step of {step}; expected 2 or more, and a smaller step")
        self._source = model
        answer = len(_plain_ids(model.tokenizer, _example(window)))
        self._answer_tokens = answer + 8  # an end, and a word before the answer
        self._limit = model.max_tokens - self._answer_tokens
        around = len(self._ids(prompt("", [""])))
        self.window = min(window, (self._limit - around - model.max_tokens // QUERY_SHARE) // LEAST_TOKENS)
        if self.window < 2:
            raise InvalidConfig(f"{model.name} reads {model.max_tokens} tokens, too few to put texts in order")
        self.step = min(step or self.window // 2, self.window - 1)
        self._model = model.weights("AutoModelForCausalLM")

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order.

        Raises:
            OutOfDeviceMemory: A window does not fit on the device.
        """
        short = clipped(self._source.tokenizer, query, self._source.max_tokens // QUERY_SHARE)

        def order(part: Sequence[int]) -> list[int]:
            return parse_permutation(self._answer(short, [texts[place] for place in part]), len(part))

        places = slide(range(len(texts)), order, window=self.window, step=self.step)
        found = [0.0] * len(texts)
        for rank, place in enumerate(places):
            found[place] = 1.0 - rank / len(texts)
        return found

    def _answer(self, query: str, texts: Sequence[str]) -> str:
        import torch

        ids = torch.tensor([self._prompt_ids(query, texts)], device=self._source.device)
        try:
            with torch.inference_mode(), hushed("transformers"):
                written = self._model.generate(
                    input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=self._answer_tokens,
                    do_sample=False, num_beams=1, pad_token_id=self._source.padding_id,
                )  # fmt: skip
        except torch.OutOfMemoryError as error:
            raise OutOfDeviceMemory(
                f"{self._source.device} cannot hold the reranker and {len(texts)} texts at once; take a smaller "
                "reranker, or search without one"
            ) from error
        return str(self._source.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))

    def _prompt_ids(self, query: str, texts: Sequence[str]) -> list[int]:
        """The prompt, its passages cut until it fits."""
        each = PASSAGE_TOKENS
        while True:
            passages = [clipped(self._source.tokenizer, text, each) for text in texts]
            ids = self._ids(prompt(query, passages))
            if len(ids) <= self._limit or each == 1:
                return ids[-self._limit :]
            each = max(1, min(each - 1, each * self._limit // len(ids)))

    def _ids(self, text: str) -> list[int]:
        tokenizer = self._source.tokenizer
        if not tokenizer.chat_template:
            return _plain_ids(tokenizer, text + "\nAnswer: ")
        turn = [{"role": "user", "content": text}]
        told = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        return _plain_ids(tokenizer, str(told))


def prompt(query: str, passages: Sequence[str]) -> str:
    """The question, with each passage behind its number.

    Numbers in brackets inside a passage would be taken for other passages, and stand in parentheses.
    """
    count = len(passages)
    plain = [_IDENTIFIER.sub(r"(\1)", " ".join(passage.split())) for passage in passages]
    listed = "\n".join(f"[{number}] {passage}" for number, passage in enumerate(plain, start=1))
    return (
        f"I will provide you with {count} passages, each indicated by a numerical identifier []. Rank the passages "
        f"based on their relevance to the search query: {query}.\n\n{listed}\n\nSearch Query: {query}.\n"
        f"Rank the {count} passages above based on their relevance to the search query. All the passages should be "
        "included and listed using identifiers, in descending order of relevance. The output format should be "
        "[] > [], e.g., [2] > [1]. Only respond with the ranking results, do not say any word or explain."
    )


def _example(count: int) -> str:
    """The longest order of so many passages."""
    return " > ".join(f"[{number}]" for number in range(1, count + 1))


def _plain_ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
