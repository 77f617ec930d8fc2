"""Published-style figures on classic collections; runs where C2VSEARCH_EVAL_DATA names a folder of BEIR sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c2vsearch import Retriever
from c2vsearch.encoder import HashEncoder
from c2vsearch.evaluation import evaluate, index_corpus, read_questions

pytest.importorskip("ir_measures")
DATA = os.environ.get("C2VSEARCH_EVAL_DATA")

pytestmark = pytest.mark.skipif(not DATA, reason="C2VSEARCH_EVAL_DATA is not set")


# BM25 of another library (Lucene's variant, English stop words, Porter's stemmer), nDCG@10.
@pytest.mark.parametrize(("name", "expected"), [("cranfield", 0.5185), ("legalsum", 0.6012)])
def test_bm25_is_within_a_hundredth_of_another_library(tmp_path, name, expected):
    folder = Path(str(DATA)) / name
    # Vectors do not matter here; the window is so wide that no document is cut.
    index_corpus(folder / "corpus.jsonl", tmp_path / "index", encoder=HashEncoder(dim=8, max_tokens=100_000))
    questions = read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    [found] = evaluate(Retriever.open(tmp_path / "index"), questions, modes=["bm25"], measures=["nDCG@10"])
    assert found.mean("nDCG@10") == pytest.approx(expected, abs=0.01)
