"""Losses against their formulas, pairs against a hand-written file."""

from __future__ import annotations

import json
import lzma
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from c2vsearch.errors import InvalidDataset
from c2vsearch.training.losses import distillation, info_nce
from c2vsearch.training.pairs import Pair, batches, read_pairs


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(1)), dim=1)


def test_info_nce_is_its_formula() -> None:
    queries, documents = unit(3, 5), unit(7, 5)
    total = 0.0
    for i in range(3):
        scores = [np.exp(float(queries[i] @ documents[j]) / 0.1) for j in range(7)]
        total += -np.log(scores[i] / sum(scores))
    assert info_nce(queries, documents, temperature=0.1).item() == pytest.approx(total / 3, rel=1e-5)


def test_distillation_is_zero_only_for_the_same_ranking() -> None:
    scores = unit(4, 6)
    assert distillation(scores, scores, temperature=0.1, teacher_temperature=0.1).item() == pytest.approx(0, abs=1e-6)
    p, q = (torch.softmax(x / 0.1, dim=1) for x in (scores, -scores))
    expected = (p * (p / q).log()).sum(dim=1).mean().item()
    actual = distillation(-scores, scores, temperature=0.1, teacher_temperature=0.1).item()
    assert actual == pytest.approx(expected, rel=1e-4)


def test_pairs_are_read(tmp_path: Path) -> None:
    lines = [
        json.dumps({"query": " q1 ", "positive": "p1", "group": "g", "source": "s"}),
        "",
        json.dumps({"query": "q2", "positive": "p2 \ud83d", "negatives": ["n1", " n2"], "scores": [0.9, 0.2, 0]}),
    ]
    path = tmp_path / "a.jsonl.xz"
    path.write_bytes(lzma.compress("\n".join(lines).encode()))
    assert read_pairs(path) == [
        Pair("q1", "p1", "g", source="s"),
        Pair("q2", "p2 ?", negatives=("n1", "n2"), scores=(0.9, 0.2, 0.0)),
    ]
    assert read_pairs(path, max_chars=1)[0] == Pair("q", "p", "g", source="s")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "not JSON"),
        ("[1]", "list instead of an object"),
        ('{"query": "q"}', "positive is None"),
        ('{"query": "q", "positive": " "}', "positive is empty"),
        ('{"query": "", "positive": "p"}', "query is empty"),
        ('{"query": "q", "positive": "p", "negatives": "n"}', "negatives is not a list"),
        ('{"query": "q", "positive": "p", "negatives": [""]}', "negatives is not a list"),
        ('{"query": "q", "positive": "p", "scores": [NaN]}', "finite"),
        ('{"query": "q", "positive": "p", "negatives": ["n"], "scores": [1]}', "1 scores for 1 negatives"),
        ('{"query": "q", "positive": "p", "group": 3}', "group and source"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"query": "q1", "positive": "p1"}\n' + line + "\n")
    with pytest.raises(InvalidDataset, match=rf"b\.jsonl line 2: .*{message}"):
        read_pairs(path)


def test_a_cut_file_of_pairs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"query": "q", "positive": "p"}\n' * 100)[:-20])
    with pytest.raises(InvalidDataset, match=r"c\.jsonl\.xz cannot be read"):
        read_pairs(path)


def test_batches_come_from_one_source_without_false_negatives() -> None:
    sources = {name: [Pair(f"{name}{i % 40}", f"{name}{i}") for i in range(60)] for name in "ab"}
    drawn = list(islice(batches(sources, {"b": 0.0}, size=8, seed=1), 20))
    assert drawn == list(islice(batches(sources, {"b": 0.0}, size=8, seed=1), 20))
    for batch in drawn:
        assert len({pair.query for pair in batch}) == len(batch) == 8
        assert all(pair.query.startswith("a") for pair in batch)
