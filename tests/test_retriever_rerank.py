"""Rerankers through the front door: by path, as objects, within a budget, and what becomes of one that cannot be had."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.config import SearchConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import InvalidConfig, ModelNotFound, NotReranked, OutOfDeviceMemory
from c2vsearch.rerankers import load_reranker

QUERY = "when does the ferry leave"


class Longest:
    """Longer texts are better."""

    weight = 1.0

    def __init__(self) -> None:
        self.calls = 0

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        self.calls += 1
        return [float(len(text)) for text in texts]


class Full(Longest):
    """The device has no room."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        self.calls += 1
        raise OutOfDeviceMemory("cpu cannot hold the reranker and one text of 9 tokens")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    for number in range(12):
        (root / f"{number:02}.md").write_text(f"# Ferry {number}\n\nThe ferry leaves at {number}. " + "Boat. " * number)
    index_directory(root, index=root / "index", encoder="hash")
    return root / "index"


def test_an_object_reranks(index: Path) -> None:
    reranker = Longest()
    plain = Retriever.open(index).search(QUERY)
    with Retriever.open(index, reranker=reranker) as retriever:
        assert [hit.id for hit in retriever.search(QUERY)] == [hit.id for hit in plain]
        assert reranker.calls == 0
        for again in (retriever.search(QUERY, rerank=True), *retriever.search_batch([QUERY], rerank=True)):
            assert [hit.source for hit in again] == [f"{number:02}.md" for number in range(11, 1, -1)]
            assert [hit.stages[-1].rank for hit in again] == list(range(1, 11))
        assert len(retriever.context(QUERY, rerank="auto").passages) > 0
        assert reranker.calls == 3


def test_a_folder_reranks(index: Path, tmp_path: Path) -> None:
    from tests.tiny_rerankers import save_cross_encoder

    folder = save_cross_encoder(tmp_path)
    config = SearchConfig(k=12, rerank=True, mode="bm25")
    with Retriever.open(index, reranker=folder) as retriever:
        hits = retriever.search_with(QUERY, config)
        texts = {row: chunk.embedded_text for row, chunk in retriever.collection.iter_rows()}
    scores = load_reranker(folder).scores(QUERY, list(texts.values()))
    expected = sorted(zip(scores, texts.values(), strict=True), reverse=True)
    assert [hit.text for hit in hits] == [text[-len(hit.text) :] for (_, text), hit in zip(expected, hits, strict=True)]


def test_a_budget_leaves_the_rest_behind(index: Path) -> None:
    class Slow(Longest):
        def scores(self, query: str, texts: Sequence[str]) -> list[float]:
            for _ in range(200_000):  # a millisecond and more, whatever the machine
                pass
            return super().scores(query, texts)

    reranker = Slow()
    with Retriever.open(index, reranker=reranker) as retriever:
        plain = retriever.search(QUERY)
        hits = retriever.search_with(QUERY, SearchConfig(rerank=True, rerank_budget_ms=0.001))
    assert reranker.calls == 1
    assert [hit.id for hit in hits] == [hit.id for hit in plain]
    assert [hit.stages[-1].stage == "rerank" for hit in hits] == [True] + [False] * 9


def test_yes_is_an_error_and_auto_a_warning(index: Path, tmp_path: Path) -> None:
    nothing, full = tmp_path / "nothing", Full()
    plain = Retriever.open(index).search(QUERY)
    for reranker, error in ((nothing, ModelNotFound), (None, InvalidConfig), (full, OutOfDeviceMemory)):
        with Retriever.open(index, reranker=reranker) as retriever:
            with pytest.raises(error) as raised:
                retriever.search(QUERY, rerank=True)
            with pytest.warns(NotReranked, match="not reranked: ") as warned:
                hits = retriever.search(QUERY, rerank="auto")
            assert str(warned[0].message) == f"not reranked: {raised.value}"
            assert hits == plain
            assert not any(stage.stage == "rerank" for hit in hits for stage in hit.stages)
    assert full.calls == 2


def test_auto_says_nothing_where_there_is_a_reranker(index: Path) -> None:
    with warnings.catch_warnings(), Retriever.open(index, reranker=Longest()) as retriever:
        warnings.simplefilter("error")
        assert retriever.search(QUERY, rerank="auto") == retriever.search(QUERY, rerank=True)


def test_what_could_not_be_loaded_is_not_tried_with_every_query(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def load(name: str) -> None:
        tried.append(name)
        raise ModelNotFound("no model")

    monkeypatch.setattr("c2vsearch.inference.load_reranker", load)
    with Retriever.open(index, reranker="some/model") as retriever:
        with pytest.warns(NotReranked):
            retriever.search_batch([QUERY, "boat", "nine"], rerank="auto")
        assert tried == ["some/model"]


def test_late_is_the_models_own(index: Path) -> None:
    class Tokens(HashEncoder):
        def encode_query_tokens(self, text: str, *, instruction: str | None = None):
            return self.encode_documents(text.split())

        def encode_document_tokens(self, texts: Sequence[str]):
            return [self.encode_query_tokens(text) for text in texts]

    hits = [
        Retriever.open(index, encoder=Tokens(), reranker=name).search(QUERY, rerank=True) for name in (None, "late")
    ]
    assert hits[0] == hits[1]
    assert hits[0][0].stages[-1].stage == "rerank"
