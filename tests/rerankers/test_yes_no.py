"""Yes/no rerankers against the steps of Qwen3-Reranker's model card, and their frames against known strings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from c2vsearch.errors import InvalidConfig
from c2vsearch.rerankers import load_reranker
from c2vsearch.rerankers.pretrained import find_pretrained
from c2vsearch.rerankers.yes_no import SYSTEM, YesNoReranker, frame
from tests.tiny_models import DECODERS
from tests.tiny_rerankers import make_tokenizer, save_causal

QUERY = "when does the ferry leave?"
TEXTS = ["the ferry leaves at nine.", "bread", "", "the dough is late " * 400, "a boat: " * 9]
LIMIT = 256


def as_on_the_card(folder: Path, query: str, texts: list[str]) -> list[float]:
    """The model card of Qwen/Qwen3-Reranker-0.6B, a text at a time: no padding, no batch."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    prefix = tokenizer.encode(
        '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct '
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n',
        add_special_tokens=False,
    )  # fmt: skip
    suffix = tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", add_special_tokens=False)
    task = "Given a web search query, retrieve relevant passages that answer the query"
    scores = []
    for text in texts:
        pair = f"<Instruct>: {task}\n<Query>: {query}\n<Document>: {text}"
        ids = tokenizer.encode(pair, add_special_tokens=False)[: LIMIT - len(prefix) - len(suffix)]
        with torch.no_grad():
            logits = model(torch.tensor([prefix + ids + suffix])).logits[0, -1]
        yes, no = (logits[tokenizer.convert_tokens_to_ids(word)] for word in ("yes", "no"))
        scores.append(float(torch.log_softmax(torch.stack([no, yes]), dim=0)[1].exp()))
    return scores


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_scores_are_those_of_the_model_card(tmp_path: Path, kind: str) -> None:
    folder = save_causal(tmp_path, kind=DECODERS[kind], positions=LIMIT)
    expected = as_on_the_card(folder, QUERY, TEXTS)
    assert max(expected) - min(expected) > 0.01
    assert load_reranker(folder).scores(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)
    one_by_one = YesNoReranker(find_pretrained(folder), batch_tokens=1).scores(QUERY, TEXTS)
    assert one_by_one == pytest.approx(expected, abs=1e-5)


def test_a_long_query_leaves_room_for_the_text(tmp_path: Path) -> None:
    reranker = load_reranker(save_causal(tmp_path, positions=LIMIT))
    nine, bread = reranker.scores("ferry " * 9000, ["the ferry leaves at nine.", "bread"])
    assert nine != bread
    assert reranker.scores("ferry " * 9000, []) == []


def test_the_frame_is_the_models_own() -> None:
    before, after = frame(make_tokenizer(marks=True))
    assert before.startswith("<|im_start|>system\nJudge whether")
    assert after == "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
    spoken = make_tokenizer()
    spoken.chat_template = template
    assert frame(spoken) == (f"<user>{SYSTEM}\n\n", "</s><bot>")
    assert frame(make_tokenizer()) == (f"{SYSTEM}\n\n", '\n\nAnswer ("yes" or "no"):')


def test_a_model_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="reads 24 tokens, too few"):
        load_reranker(save_causal(tmp_path / "short", positions=24))
    folder = save_causal(tmp_path / "mute")
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"yes"', '"si"'))
    with pytest.raises(InvalidConfig, match="no tokens for yes and no"):
        load_reranker(folder)
