"""A teacher's scores: cosines, BM25 from the formula of the fusion, both; one score a text, in their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import InvalidConfig, InvalidDataset, ModelNotFound
from c2vsearch.training.corpus import Corpus
from c2vsearch.training.teachers import ScoringReport, Teacher, distill, parse_teacher

ROWS = [
    {"query": "when does the ferry leave", "positive": "The ferry leaves at nine.",
     "negatives": ["Bread rests for an hour.", "the ferry is blue", "when it rains we wait"], "source": "s", "scores": [9]},
    {"query": "bread", "positive": "Bread rests for an hour.", "negatives": ["the ferry is blue", "the ferry is blue"]},
    {"query": "", "positive": "nothing asks for this", "negatives": ["x"]},
    {"query": "alone", "positive": "the ferry is blue"},
]  # fmt: skip


def run(tmp_path: Path, teacher: Teacher) -> tuple[list[dict], ScoringReport]:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    report = distill([path], out, teacher=teacher)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], report


def cosines(row: dict) -> list[float]:
    encoder = HashEncoder()
    texts = encoder.encode_documents([row["positive"], *row.get("negatives", [])])
    return (texts @ encoder.encode_queries([row["query"]])[0]).tolist()


def keyword_scores(tmp_path: Path, row: dict) -> list[float]:
    corpus = Corpus()
    for other in ROWS:
        if other["query"]:
            for text in (other["positive"], *other.get("negatives", [])):
                corpus.add(text)
    index = corpus.lexical(tmp_path / "bm25", max_chars=4000)
    found = {corpus.texts[int(key)]: score for key, score in index.search(row["query"], k=100)}
    return [found.get(text, 0.0) for text in (row["positive"], *row.get("negatives", []))]


def scaled(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]


def test_an_encoder_gives_its_cosines(tmp_path: Path) -> None:
    written, report = run(tmp_path, Teacher(HashEncoder()))
    assert report == ScoringReport(lines=4, scored=2, alone=1, empty=1, texts=4)
    for row, out in zip([ROWS[0], ROWS[1], ROWS[3]], written, strict=True):
        assert out["scores"] == pytest.approx(cosines(row), abs=1e-6)
        assert {**out, "scores": None} == {**row, "scores": None}


def test_keywords_and_both_are_scaled_by_the_line(tmp_path: Path) -> None:
    expected = scaled(keyword_scores(tmp_path, ROWS[0]))
    assert expected[0] == 1.0
    assert sorted(expected)[0] == 0.0
    keywords, _ = run(tmp_path, Teacher(None, 1.0))
    assert keywords[0]["scores"] == pytest.approx(expected, abs=1e-5)
    both, _ = run(tmp_path, Teacher(HashEncoder(), 0.3))
    mixed = [0.7 * dense + 0.3 * word for dense, word in zip(scaled(cosines(ROWS[0])), expected, strict=True)]
    assert both[0]["scores"] == pytest.approx(mixed, abs=1e-5)
    assert both[2]["scores"] == [1.0]


def test_texts_that_differ_in_a_mark_have_scores_of_their_own(tmp_path: Path) -> None:
    row = {"query": "a ++", "positive": "a ++", "negatives": ["a --", "A ++"]}
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    distill([tmp_path / "in.jsonl"], tmp_path / "out.jsonl", teacher=Teacher(HashEncoder()))
    scores = json.loads((tmp_path / "out.jsonl").read_text())["scores"]
    assert scores == pytest.approx(cosines(row), abs=1e-6)
    assert scores[1] < 0.9 < scores[0] == scores[2]


def test_teachers_by_name() -> None:
    def load(name: str) -> HashEncoder:
        assert name == "openai:http://host/v1#a+b"
        return HashEncoder()

    assert parse_teacher("openai:http://host/v1#a+b+bm25:0.25", load).lexical_weight == 0.25
    assert parse_teacher("openai:http://host/v1#a+b+bm25", load).lexical_weight == 0.5
    assert parse_teacher("openai:http://host/v1#a+b", load).lexical_weight == 0.0
    for spec in ("hash+bm25:1", "hash+bm25:0", "hash+bm25:0.3.1"):
        with pytest.raises(InvalidConfig, match="share"):
            parse_teacher(spec)
    with pytest.raises(ModelNotFound):
        parse_teacher("no-such-model")
    with pytest.raises(InvalidConfig, match="encoder"):
        Teacher(None, 0.5)


def test_a_bad_line_leaves_the_output(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"query": "a"}')
    (tmp_path / "out.jsonl").write_text("before")
    with pytest.raises(InvalidDataset, match=r"in\.jsonl line 1"):
        distill([tmp_path / "in.jsonl"], tmp_path / "out.jsonl", teacher=Teacher(HashEncoder()))
    assert (tmp_path / "out.jsonl").read_text() == "before"
