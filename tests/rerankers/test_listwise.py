"""Listwise rerankers: the prompt by its words, what is generated against transformers, orders of a model that knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.rerankers import ListReranker, load_reranker
from c2vsearch.rerankers.listwise import ListwiseReranker, prompt
from c2vsearch.rerankers.permutation import parse_permutation
from c2vsearch.rerankers.pretrained import find_pretrained
from tests.tiny_rerankers import save_causal

TEXTS = ["the ferry leaves at nine.", "bread", "", "the dough is late " * 400, "a boat: " * 9]
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("causal"), positions=2048, chat_template=TEMPLATE)


def test_the_prompt_numbers_the_passages_and_only_them() -> None:
    told = prompt("when?", ["at nine", "see [7] and\n[12]"])
    assert "\n[1] at nine\n[2] see (7) and (12)\n" in told
    assert told.startswith("I will provide you with 2 passages")
    assert "search query: when?." in told


def test_the_order_is_what_the_model_writes(folder: Path) -> None:
    reranker = load_reranker(f"listwise:{folder}")
    assert isinstance(reranker, ListReranker)
    texts = TEXTS[:3]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    asked = f"user: {prompt('when does the ferry leave', texts)}\nassistant: "
    ids = tokenizer(asked, add_special_tokens=False, return_tensors="pt")["input_ids"]
    length = ids.shape[1]
    for _ in range(reranker._answer_tokens):  # greedy, a whole forward pass a token
        with torch.no_grad():
            ids = torch.cat([ids, model(ids).logits[:, -1].argmax(dim=1, keepdim=True)], dim=1)
    order = parse_permutation(tokenizer.decode(ids[0, length:], skip_special_tokens=True), 3)
    scores = reranker.scores("when does the ferry leave", texts)
    assert sorted(range(3), key=lambda place: -scores[place]) == order
    assert sorted(scores) == pytest.approx([1 / 3, 2 / 3, 1])


def test_windows_slide_from_the_last_text_to_the_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = ListwiseReranker(find_pretrained(folder), window=4)
    asked: list[list[str]] = []

    def answer(query: str, texts: list[str]) -> str:
        asked.append(list(texts))
        return " > ".join(f"[{place + 1}]" for place in sorted(range(len(texts)), key=lambda p: -len(texts[p])))

    monkeypatch.setattr(reranker, "_answer", answer)
    texts = ["x" * number for number in (3, 1, 4, 1, 5, 9, 2, 6)]
    scores = reranker.scores("longest", texts)
    best = sorted(range(8), key=lambda place: -scores[place])
    assert [len(texts[place]) for place in best[:2]] == [9, 6]
    assert [len(part) for part in asked] == [4, 4, 4]
    assert scores == pytest.approx([1 - best.index(place) / 8 for place in range(8)])
    assert reranker.scores("longest", []) == []


@pytest.mark.parametrize("positions", [400, 2048])
def test_no_prompt_is_longer_than_the_model_reads(tmp_path: Path, positions: int) -> None:
    reranker = ListwiseReranker(find_pretrained(save_causal(tmp_path, positions=positions)))
    texts = ["the dough is late " * 400] * reranker.window
    for query in ("ferry", "ferry " * 5000):
        assert len(reranker._prompt_ids(query[:100], texts)) + reranker._answer_tokens <= positions
        assert sorted(reranker.scores(query, texts)) == pytest.approx([(n + 1) / len(texts) for n in range(len(texts))])


def test_what_cannot_read_two_texts_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InvalidConfig, match="reads 128 tokens, too few"):
        load_reranker(f"listwise:{save_causal(tmp_path, positions=128)}")
    with pytest.raises(InvalidConfig, match="a window of 1"):
        ListwiseReranker(find_pretrained(folder), window=1)


def test_a_window_that_does_not_fit_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = ListwiseReranker(find_pretrained(folder))

    def full(**_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(reranker._model, "generate", full)
    with pytest.raises(OutOfDeviceMemory, match="2 texts at once"):
        reranker.scores("ferry", TEXTS[:2])
