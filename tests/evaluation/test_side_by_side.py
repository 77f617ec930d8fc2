"""Models, chunk sizes and modes on a small corpus; and our figures against sentence-transformers and ir_measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2vsearch import index_directory
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import EncoderMismatch, InvalidConfig, InvalidDataset, SourceNotFound
from c2vsearch.evaluation import Questions, Target, evaluate_models, index_documents, opened, read_beir
from c2vsearch.evaluation.datasets import CorpusDocument
from c2vsearch.evaluation.evaluate import measure_run
from tests.evaluation.small_set import write_beir

ir_measures = pytest.importorskip("ir_measures")
MEASURES = ("nDCG@10", "R@100", "RR@10")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_beir(tmp_path_factory.mktemp("sets") / "small")


def test_our_figures_are_those_of_sentence_transformers_and_ir_measures(folder: Path, tmp_path: Path) -> None:
    """The harness, end to end. Vectors are stored as float16: cosines move by some 1e-4, the ranks here do not."""
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    from tests.tiny_sentence_transformers import save_tiny

    model = save_tiny(tmp_path, prompts={"query": "find : ", "document": "text : "})
    [found] = evaluate_models(Target.find(folder), [f"st:{model}"], modes=["dense"], measures=MEASURES)

    dataset, reference = read_beir(folder), SentenceTransformer(str(model), device="cpu")
    documents = list(dataset.documents)
    assert max(len(each.text.split()) for each in documents) + 2 + 2 <= 32  # nothing is cut by either
    rows = reference.encode_document([each.text for each in documents])
    queries = reference.encode_query(list(dataset.questions.queries.values()))
    run = {
        query: {each.id: float(cosine) for each, cosine in zip(documents, line, strict=True)}
        for query, line in zip(dataset.questions.queries, queries @ rows.T, strict=True)
    }
    parsed = [ir_measures.parse_measure(name) for name in MEASURES]
    expected = ir_measures.calc_aggregate(parsed, dataset.questions.qrels, run)
    for measure in parsed:
        assert found.mean(str(measure)) == pytest.approx(expected[measure], abs=1e-3)
    assert 0.05 < found.mean("nDCG@10") < 0.95  # neither trivial nor impossible
    for query, ranked in run.items():
        best = sorted(ranked, key=lambda name: -ranked[name])[:5]
        ours = sorted(found.run[query], key=lambda name: -found.run[query][name])[:5]
        scores = [[ranked[name] for name in names] for names in (best, ours)]
        np.testing.assert_allclose(*scores, atol=1e-3)  # equal, or neighbours nearer than float16 tells apart


def test_one_row_for_each_model_size_and_mode(folder: Path) -> None:
    sizes = [ChunkingConfig.sized(16), ChunkingConfig.sized(32)]
    said: list[str] = []
    chunks: list[int] = []
    rows = evaluate_models(
        Target.find(folder), ["hash", "c2v-mini"], modes=["bm25", "dense"], measures=["RR"], chunk_sizes=sizes,
        on_model=said.append, on_open=lambda retriever: chunks.append(retriever.collection.manifest.counts["chunks"]),
    )  # fmt: skip
    labels = ["hash (16 tokens)", "hash (32 tokens)", "c2v-mini (16 tokens)", "c2v-mini (32 tokens)"]
    assert said == labels
    assert [(row.model, row.mode) for row in rows] == [(label, mode) for label in labels for mode in ("bm25", "dense")]
    assert chunks[0] > chunks[1] == 60
    assert rows[0].label == "hash (16 tokens) bm25"


def test_a_document_counts_once_by_its_best_chunk(folder: Path) -> None:
    [row] = evaluate_models(
        Target.find(folder), ["hash"], modes=["dense"], chunk_sizes=[ChunkingConfig.sized(16)], depth=1000
    )
    assert {len(found) for found in row.run.values()} == {60}
    assert row.mean("R@100") == 1.0


def test_an_index_has_its_own_model_and_refuses_others(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("the quick fox")
    index_directory(tmp_path / "docs", index=tmp_path / "index", encoder="hash")
    queries, qrels = tmp_path / "q.jsonl", tmp_path / "j.tsv"
    queries.write_text('{"_id": "1", "text": "fox"}\n')
    qrels.write_text("1\ta.txt\t1\n")
    target = Target.find(tmp_path / "index", queries=queries, qrels=qrels)
    assert target.is_index
    [row] = evaluate_models(target, measures=["RR"])
    assert (row.model, row.mean("RR")) == ("hash", 1.0)
    [named] = evaluate_models(target, ["hash"], measures=["RR"])
    assert named == row
    with pytest.raises(EncoderMismatch, match=r"was built with hash@words-64.*c2v-mini@"):
        evaluate_models(target, ["c2v-mini"])
    with pytest.raises(InvalidConfig, match="is an index, of one model"):
        evaluate_models(target, ["hash", "c2v-mini"])
    with pytest.raises(InvalidConfig, match="is an index, cut already"):
        evaluate_models(target, chunk_sizes=[ChunkingConfig.sized(64)])


def test_what_is_asked_wrongly_is_refused_before_the_work(folder: Path, tmp_path: Path) -> None:
    target = Target.find(folder)
    for settings in ({"modes": ["magic"]}, {"measures": ["nonsense"]}):
        with pytest.raises(InvalidConfig):
            evaluate_models(target, ["no such model"], **settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="max_tokens is 600; the model hash reads at most 512"):
        evaluate_models(target, ["hash"], chunk_sizes=[ChunkingConfig.sized(600)])
    with pytest.raises(SourceNotFound, match="expected an index, a folder, or the name of an MTEB task"):
        Target.find(tmp_path / "nowhere")
    with pytest.raises(InvalidDataset, match="queries.jsonl; name it with --queries"):
        Target.find(tmp_path)
    with pytest.raises(InvalidConfig, match="brings its questions"):
        Target.find("mteb:SciFact", queries=tmp_path / "q.jsonl")


def test_a_document_that_is_its_own_query_is_no_answer() -> None:
    qrels = {"a": {"b": 1}}
    run = {"a": {"a": 1.0, "b": 0.5}}
    assert measure_run("dense", run, Questions({"a": "x"}, qrels), ["RR"]).mean("RR") == 0.5
    own = measure_run("dense", run, Questions({"a": "x"}, qrels, own_ids=True), ["RR"])
    assert own.mean("RR") == 1.0
    assert own.run == {"a": {"b": 0.5}}


def test_documents_from_anywhere_can_be_indexed(tmp_path: Path) -> None:
    documents = [CorpusDocument("1", "Ferries", "They leave at nine."), CorpusDocument("2", "", "Bread.")]
    index_documents(documents, tmp_path / "index", encoder=HashEncoder())
    with opened(Target("x", Questions({"1": "x"}, {"1": {"1": 1}}), tmp_path / "index")) as retriever:
        assert {hit.source for hit in retriever.search("ferries bread")} == {"1", "2"}
