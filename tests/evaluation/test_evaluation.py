"""Measures against their formulas, files against their errors, and, where the data are, published figures."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from c2vsearch import HashEncoder, Retriever
from c2vsearch.encoder import load_encoder
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.evaluation import compare, evaluate, index_corpus, is_beir, read_questions
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.evaluation.evaluate import measure_run


def beir(folder: Path, *, qrels: str = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t1\nq2\td9\t1\n") -> Path:
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "title": f"T{n}", "text": f"text about topic{n} and more"} for n in range(12)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    queries = [
        {"_id": "q1", "text": "topic1"},
        {"_id": "q2", "text": "nothing like it"},
        {"_id": "q3", "text": "unjudged"},
    ]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def test_measures_are_their_formulas() -> None:
    questions = Questions({"a": "x", "b": "y"}, {"a": {"d1": 2, "d2": 1}, "b": {"d3": 1}})
    result = measure_run("m", {"a": {"d9": 0.9, "d2": 0.8, "d1": 0.7}}, questions, ("nDCG@10", "R@100", "RR@10"))
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert result.values["nDCG@10"] == pytest.approx(((1 / math.log2(3) + 2 / math.log2(4)) / ideal, 0.0))
    assert result.values["R@100"] == (1.0, 0.0)  # the query without an answer counts as 0
    assert result.mean("RR@10") == 0.25
    low, high = result.interval("RR@10")
    assert low == 0.0
    assert high == 0.5


def test_comparison_by_hand() -> None:
    questions = Questions({str(n): "x" for n in range(8)}, {str(n): {"d": 1} for n in range(8)})
    good = measure_run("good", {str(n): {"d": 1.0} for n in range(8)}, questions, ("RR@10",))
    bad = measure_run("bad", {}, questions, ("RR@10",))
    result = compare(good, bad, "RR@10")
    assert result.difference == 1.0
    assert result.p_value == pytest.approx(2 / 2**8, abs=0.006)  # all signs alike: two of 256
    assert compare(good, good, "RR@10").p_value == 1.0


def test_a_corpus_in_beir_layout(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set")
    assert is_beir(folder)
    index_corpus(folder / "corpus.jsonl", tmp_path / "index", encoder=HashEncoder())
    retriever = Retriever.open(tmp_path / "index")
    questions = read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    assert questions.qrels == {"q1": {"d1": 2, "d2": 1}, "q2": {"d9": 1}}
    evaluations = evaluate(retriever, questions, modes=("bm25", "dense", "hybrid"), measures=("RR@10", "R@100"))
    assert evaluations[0].values["RR@10"] == (1.0, 0.0)
    assert evaluations[1].values["R@100"] == (1.0, 1.0)
    with pytest.raises(InvalidConfig, match="no mode 'magic'"):
        evaluate(retriever, questions, modes=("magic",))
    with pytest.raises(InvalidConfig, match="expected measures such as"):
        evaluate(retriever, questions, measures=("quality",))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n{broken', r"queries\.jsonl line 2: not JSON"),
        ("queries.jsonl", '{"id": "q1"}', "line 1: expected an object"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n", "line 2: expected query-id"),
        ("qrels/test.tsv", "q7\td1\t1\n", "the query 'q7' is not in"),
        ("qrels/test.tsv", "q1\td1\t0\n", "judges no document"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, file: str, content: str, message: str) -> None:
    folder = beir(tmp_path / "set")
    (folder / file).write_text(content)
    with pytest.raises(InvalidDataset, match=message):
        read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    (folder / file).unlink()
    with pytest.raises(InvalidDataset, match="cannot be read"):
        read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")


@pytest.mark.slow
@pytest.mark.skipif("C2VSEARCH_EVAL_DATA" not in os.environ, reason="C2VSEARCH_EVAL_DATA names no evaluation sets")
@pytest.mark.parametrize(("name", "bm25", "dense"), [("cranfield", 0.5185, 0.5108), ("adi", 0.4938, 0.4894)])
def test_published_figures(tmp_path: Path, name: str, bm25: float, dense: float) -> None:
    """BM25 near the reference, the shipped model near the encoder it started from."""
    folder = Path(os.environ["C2VSEARCH_EVAL_DATA"]) / name
    encoder = load_encoder()
    index_corpus(folder / "corpus.jsonl", tmp_path / "index", encoder=encoder)
    questions = read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    results = evaluate(Retriever.open(tmp_path / "index", encoder=encoder), questions, modes=("bm25", "dense"))
    assert results[0].mean("nDCG@10") == pytest.approx(bm25, abs=0.03)
    assert results[1].mean("nDCG@10") > dense - 0.05
