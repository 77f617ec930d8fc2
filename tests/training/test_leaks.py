"""The leak check against a naive twin that compares words themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.errors import InvalidDataset
from c2vsearch.training.leaks import EvaluationTexts


def fold(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))


def twin(texts: list[str], queries: list[str], documents: list[str], length: int) -> str | None:
    for text in texts:
        mine = fold(text)
        for kind, others in (("query", queries), ("document", documents)):
            if mine and any(mine == fold(other) for other in others):
                return kind
        runs = {mine[start : start + length] for start in range(len(mine) - length + 1)}
        for other in map(fold, [*queries, *documents]):
            if any(other[start : start + length] in runs for start in range(len(other) - length + 1)):
                return "run"
    return None


word = st.sampled_from(["a", "B", "\u00e9", "\u65e5", "x1", "_"])
text = st.lists(st.tuples(word, st.sampled_from([" ", ", ", "\n", " - "])), max_size=12).map(
    lambda pairs: "".join(part for pair in pairs for part in pair)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(text, max_size=4), st.lists(text, max_size=4), st.lists(text, max_size=3), st.integers(2, 5))
def test_leaks_are_those_of_the_twin(queries: list[str], documents: list[str], texts: list[str], length: int) -> None:
    known = EvaluationTexts(queries=queries, documents=documents, run_words=length)
    assert known.leak(texts) == twin(texts, queries, documents, length)


def test_sixteen_words_in_a_row() -> None:
    words = [f"w{number}" for number in range(40)]
    known = EvaluationTexts(queries=[], documents=[" ".join(words)])
    assert known.leak(["before " + " ".join(words[7:23]).upper() + ", after"]) == "run"
    assert known.leak(["before " + " ".join(words[7:22]) + " after " + " ".join(words[23:38])]) is None
    assert known.leak([" ".join(reversed(words))]) is None


def test_folders_are_read_with_titles_and_without(tmp_path: Path) -> None:
    rows = [{"_id": "1", "title": "Ferry times", "text": "It leaves at nine."}, {"_id": "2", "text": ""}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": 1, "text": "When?"}) + "\n\n", encoding="utf-8")
    known = EvaluationTexts.read([tmp_path])
    assert [known.leak([text]) for text in ("it leaves at nine", "ferry times: it leaves at nine", "WHEN", "", "?!")] == [
        "document", "document", "query", None, None,
    ]  # fmt: skip


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"holds no queries\.jsonl and no corpus\.jsonl"):
        EvaluationTexts.read([tmp_path])
    (tmp_path / "corpus.jsonl").write_text('{"text": "a"}\n{"title": "no text"}\n')
    with pytest.raises(InvalidDataset, match=r"corpus\.jsonl line 2: expected an object with a text"):
        EvaluationTexts.read([tmp_path])
    (tmp_path / "corpus.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    with pytest.raises(InvalidDataset, match=r"corpus\.jsonl line 1: not JSON"):
        EvaluationTexts.read([tmp_path])
