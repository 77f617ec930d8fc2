"""MTEB tasks: those of the package where it is installed, and objects of its shape where it is not."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from c2vsearch.errors import InvalidConfig, InvalidDataset, MissingDependency, SourceNotFound
from c2vsearch.evaluation import CorpusDocument, Questions, Target, evaluate_models, mteb_dataset

CORPUS = [
    {"id": "d1", "title": "Ferries", "text": "They leave at nine."},
    {"id": "d2", "title": None, "text": "Let the dough rest."},
    {"id": 3, "text": "Rope is sold by the metre."},
]
QUERIES = [
    {"id": "q1", "text": "when do boats leave"},
    {"id": "q2", "text": "bread", "instruction": "Find recipes"},
    {"id": "q3", "text": "not judged"},
    {"id": "q4", "text": "judged worthless"},
]
QRELS = {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}, "q4": {"d1": 0}}


class Task:
    """What `mteb_dataset` uses of a task of mteb."""

    def __init__(
        self, *, kind: str = "Retrieval", subsets: tuple[str, ...] = ("default",), fails: bool = False
    ) -> None:
        self.metadata = SimpleNamespace(name="Toy", type=kind, modalities=["text"])
        self.eval_splits = ["dev", "test"]
        self.hf_subsets = list(subsets)
        self.ignore_identical_ids = True
        self.fails = fails
        self.dataset: dict[str, Any] = {}

    def load_data(self) -> None:
        if self.fails:
            raise ConnectionError("Couldn't reach 'toy'\non the Hub")
        data = {"corpus": CORPUS, "queries": QUERIES, "relevant_docs": QRELS, "top_ranked": None}
        self.dataset = {subset: {split: data for split in self.eval_splits} for subset in self.hf_subsets}

    def convert_v1_dataset_format_to_v2(self, num_proc: int | None) -> None:
        return


def test_a_task_becomes_documents_and_questions() -> None:
    dataset = mteb_dataset(Task())
    documents = [
        CorpusDocument("d1", "Ferries", "They leave at nine."),
        CorpusDocument("d2", "", "Let the dough rest."),
        CorpusDocument("3", "", "Rope is sold by the metre."),
    ]
    assert list(dataset.documents) == list(dataset.documents) == documents
    queries = {"q1": "when do boats leave", "q2": "bread Find recipes"}
    assert dataset.questions == Questions(queries, {"q1": {"d1": 2}, "q2": {"d2": 1}}, own_ids=True)
    assert dataset.name == "Toy"


def test_what_is_no_text_retrieval_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="the MTEB task Toy is of type STS; expected one of text retrieval"):
        mteb_dataset(Task(kind="STS"))
    with pytest.raises(InvalidConfig, match="has no split 'train'; expected dev, test"):
        mteb_dataset(Task(), split="train")
    with pytest.raises(InvalidConfig, match="has the subsets de, en; name one of them: Toy:de"):
        mteb_dataset(Task(subsets=("de", "en")))


def test_offline_is_one_line() -> None:
    with pytest.raises(InvalidDataset, match=r"Toy are not in the cache.*Couldn't reach 'toy' on the Hub") as caught:
        mteb_dataset(Task(fails=True))
    assert "\n" not in str(caught.value)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """A package `mteb` that knows one task of two languages."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def get_task(name: str, **filters: Any) -> Task:
        asked.append((name, filters))
        if name != "Toy":
            raise KeyError(f"KeyError: '{name}' not found. Did you mean: 'Toy'?")
        return Task(subsets=tuple(filters.get("hf_subsets", ("de", "en"))))

    module = ModuleType("mteb")
    module.get_task = get_task  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mteb", module)
    return asked


def test_a_task_by_name_fetches_one_subset_and_split(package: list[tuple[str, dict[str, Any]]]) -> None:
    assert mteb_dataset("Toy:en").name == "Toy:en"
    assert package == [("Toy", {}), ("Toy", {"hf_subsets": ["en"], "eval_splits": ["test"]})]
    with pytest.raises(InvalidConfig, match="no MTEB task 'Toi'; the nearest name is Toy"):
        mteb_dataset("Toi")


def test_a_name_is_measured_like_a_folder(package: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = Target.find("Toy:de")
    [row] = evaluate_models(target, ["hash"], modes=["bm25"], measures=["RR"])
    assert row.queries == ("q1", "q2")
    assert row.values["RR"] == (1.0, 0.0)  # "leave" is in d1, "bread" and "recipes" are nowhere
    (tmp_path / "Toy").mkdir()  # a folder goes before a task
    with pytest.raises(InvalidDataset, match="queries.jsonl"):
        Target.find("Toy")
    assert Target.find("mteb:Toy:de").name == "Toy:de"


def test_without_the_package_the_line_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    line = r"the MTEB task 'SciFact' needs .* pip install 'c2vsearch\[mteb\]'"
    with pytest.raises(MissingDependency, match=line):
        Target.find("mteb:SciFact")
    with pytest.raises(SourceNotFound, match=f"no file or directory at SciFact; if a task is meant: {line}"):
        Target.find("SciFact")


def test_our_figure_is_that_of_mteb(tmp_path: Path) -> None:
    """The same tiny model on the same task: `mteb.evaluate` and our index, dense."""
    pytest.importorskip("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mteb = pytest.importorskip("mteb")
        from datasets import Dataset
        from mteb.abstasks.retrieval import AbsTaskRetrieval
        from mteb.abstasks.task_metadata import TaskMetadata
        from sentence_transformers import SentenceTransformer

        from tests.evaluation.small_set import documents, qrels, queries
        from tests.tiny_sentence_transformers import save_tiny

        class Small(AbsTaskRetrieval):
            metadata = TaskMetadata(
                name="Small", description="x", reference=None, type="Retrieval", category="t2t", modalities=["text"],
                dataset={"path": "none/none", "revision": "1"}, eval_splits=["test"], eval_langs=["eng-Latn"],
                main_score="ndcg_at_10", date=None, domains=None, task_subtypes=None, license=None,
                annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation="",
            )  # fmt: skip

            def load_data(self, num_proc: int | None = None, **_: Any) -> None:
                rows = [{"id": name, "title": "", "text": text} for name, text in documents().items()]
                asked = [{"id": name, "text": text} for name, text in queries().items()]
                data = {"corpus": Dataset.from_list(rows), "queries": Dataset.from_list(asked)}
                self.dataset = {"default": {"test": {**data, "relevant_docs": qrels(), "top_ranked": None}}}
                self.data_loaded = True

        folder = save_tiny(tmp_path)
        scores = mteb.evaluate(SentenceTransformer(str(folder), device="cpu"), Small(), cache=None)
        dataset = mteb_dataset(Small())
        target = Target(dataset.name, dataset.questions, dataset=dataset)
        [row] = evaluate_models(target, [f"st:{folder}"], modes=["dense"], measures=["nDCG@10", "R@10"])
    [result] = scores.task_results[0].scores["test"]
    assert row.mean("nDCG@10") == pytest.approx(result["ndcg_at_10"], abs=1e-3)
    assert row.mean("R@10") == pytest.approx(result["recall_at_10"], abs=1e-3)
    assert 0.05 < row.mean("nDCG@10") < 0.95
