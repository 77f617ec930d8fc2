"""The front door: every mode against its definition, provenance at each stage, context within its budget."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.collection import Collection, Row
from c2vsearch.config import ChunkingConfig, SearchConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import EncoderMismatch, IndexNotFound, InvalidConfig, InvalidQuery
from c2vsearch.index.exact import exact_search
from c2vsearch.records import Chunk, Hit
from c2vsearch.search.token_match import TokenMatch


class Tokens(HashEncoder):
    """The fake with token states, for reranking."""

    def encode_query_tokens(self, text: str, *, instruction: str | None = None) -> np.ndarray:
        return self.encode_documents([text[start:end] for start, end in self.tokenizer.token_spans(text)])

    def encode_document_tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self.encode_query_tokens(text) for text in texts]


TOPICS = ["ferry", "dough", "invoice", "garden", "engine", "passport"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    for number in range(30):
        topic = TOPICS[number % 6]
        lines = [f"Line {line} of the {topic} page {number} says {topic} {line * number % 11}." for line in range(12)]
        (root / f"{topic}{number}.md").write_text(f"# About {topic}\n\n" + "\n\n".join(lines))
    (root / "copy.md").write_text((root / "ferry0.md").read_text())
    index_directory(
        root,
        index=root / "index",
        encoder=Tokens(),
        chunking=ChunkingConfig(max_tokens=60, overlap_tokens=15, context_tokens=12),
    )
    return root / "index"


@pytest.fixture
def retriever(place: Path) -> Retriever:
    return Retriever.open(place, encoder=Tokens())


def test_dense_equals_exact_search(retriever: Retriever) -> None:
    rows = list(retriever.collection.iter_rows())
    vectors = retriever.collection.vectors([row for row, _ in rows]).astype(np.float16)
    query = "which ferry page says 7"
    expected = exact_search(Tokens().encode_queries([query])[0], [vectors], k=40)
    hits = retriever.search_with(query, SearchConfig(k=8, mode="dense", collapse=False))
    np.testing.assert_allclose([hit.score for hit in hits], [score for _, score in expected[:8]], atol=1e-5)


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
@pytest.mark.parametrize("rerank", [False, True])
def test_what_every_hit_promises(retriever: Retriever, mode: str, rerank: bool) -> None:
    hits = retriever.search("the engine page says 5", k=12, mode=mode, rerank=rerank)  # type: ignore[arg-type]
    assert [hit.rank for hit in hits] == list(range(1, 13))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({(hit.source, hit.text) for hit in hits}) == 12
    stages = {"dense": ["dense"], "bm25": ["bm25"], "hybrid": ["dense", "bm25", "fused"]}[mode] + ["rerank"] * rerank
    for hit in hits:
        assert [stage.stage for stage in hit.stages] == [s for s in stages if s in {x.stage for x in hit.stages}]
        assert hit.stages[-1].score == hit.score
        source = Path(hit.file).read_text()
        assert source[hit.start : hit.end] == hit.text
        assert "\n".join(source.split("\n")[hit.start_line - 1 : hit.end_line]).startswith(hit.text.split("\n")[0])
        assert hit.highlight is None or hit.text[slice(*hit.highlight)].strip()
    assert retriever.search("the engine page says 5", k=12, mode=mode, rerank=rerank) == hits  # type: ignore[arg-type]


def test_reranking_is_a_permutation_of_the_first_candidates(retriever: Retriever) -> None:
    plain = retriever.search("garden page 9 line 4", k=40, candidates=60)
    again = retriever.search("garden page 9 line 4", k=40, candidates=60, rerank=True)
    assert {hit.id for hit in plain[:15]} <= {hit.id for hit in again}
    assert [hit.id for hit in plain[25:]] == [hit.id for hit in again[25:]]


def test_a_batch_is_its_queries_one_by_one(retriever: Retriever) -> None:
    queries = ["ferry line 3", "passport", "dough 7"]
    assert retriever.search_batch(queries, k=4) == [retriever.search(query, k=4) for query in queries]
    assert retriever.search_batch([], k=4) == []


def test_keyword_search_loads_no_model(place: Path) -> None:
    with Retriever.open(place) as retriever:  # "hash" is the model's name, but it was built in 64 dimensions
        assert retriever.search("ferry", mode="bm25", k=2)
        assert "encoder" not in vars(retriever)


@pytest.mark.parametrize("query", ["", "  \n", "\0"])
def test_an_empty_query_is_refused(retriever: Retriever, query: str) -> None:
    with pytest.raises(InvalidQuery, match="empty"):
        retriever.search(query)


@pytest.mark.parametrize("query", ["???", "-x", "word " * 30_000, "\ud800 lone", "a\0b", "猫", '"unbalanced'])
def test_any_other_query_is_answered(retriever: Retriever, query: str) -> None:
    assert len(retriever.search(query, k=3)) == 3
    assert len(retriever.search(query, k=100_000)) > 50


@pytest.mark.parametrize("settings", [{"k": 0}, {"mode": "fast"}, {"candidates": 0}, {"rerank": "maybe"}])
def test_impossible_settings(retriever: Retriever, settings: dict[str, object]) -> None:
    with pytest.raises(InvalidConfig, match="expected"):
        retriever.search("x", **settings)  # type: ignore[arg-type]


def test_refusals(place: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        Retriever.open(tmp_path)
    with pytest.raises(IndexNotFound, match="no version 9"):
        Retriever.open(place, version=9)
    with pytest.raises(EncoderMismatch, match="words-64.*words-8"):
        Retriever.open(place, encoder=HashEncoder(dim=8))
    with pytest.raises(InvalidConfig, match="no token states"):
        Retriever.open(place, encoder=HashEncoder()).search("x", rerank=True)


@pytest.mark.parametrize("budget", [1, 60, 200, 1000])
def test_context_is_cited_and_within_its_budget(retriever: Retriever, budget: int) -> None:
    context = retriever.context("what does the ferry page say", max_tokens=budget)
    tokenizer = Tokens().tokenizer
    assert len(tokenizer.token_spans(context.text)) <= context.tokens <= budget
    assert [passage.number for passage in context.passages] == list(range(1, len(context.passages) + 1))
    assert len(context.passages) > 0 or budget <= 60
    for passage in context.passages:
        assert f"[{passage.number}] {passage.citation}\n```\n{passage.text}\n```" in context.text
        source, _, lines = passage.citation.split(" (")[0].rpartition(":")
        first, last = map(int, lines.split("-"))
        whole = Path(retriever.collection.manifest.roots[0].file(source)).read_text()
        assert passage.text in whole
        assert "\n".join(whole.split("\n")[first - 1 : last]) == passage.text


def test_context_repeats_nothing(retriever: Retriever) -> None:
    context = retriever.context("the ferry page 12", max_tokens=4000, k=60)
    covered: dict[str, list[str]] = {}
    for passage in context.passages:
        source = passage.citation.split(":")[0]
        for line in passage.text.split("\n"):
            assert not line or line not in covered.setdefault(source, [])
            covered[source].append(line)


def test_highlights_by_states_where_the_model_gives_them(retriever: Retriever, place: Path) -> None:
    query = "which line of the garden page says 9"
    for highlight, mode in (("states", "hybrid"), ("states", "bm25"), ("auto", "dense")):
        hits = retriever.search_with(query, SearchConfig(k=5, highlight=highlight, mode=mode))  # type: ignore[arg-type]
        expected = TokenMatch(Tokens(), Tokens().tokenizer)([hit.text for hit in hits], query)
        assert [hit.highlight for hit in hits] == expected
    plain = Retriever.open(place, encoder=HashEncoder())
    by_words = [hit.highlight for hit in plain.search(query, k=5)]
    assert [hit.highlight for hit in plain.search_with(query, SearchConfig(k=5, highlight="auto"))] == by_words
    with pytest.raises(InvalidConfig, match="no token states to highlight by"):
        plain.search_with(query, SearchConfig(highlight="states"))
    with pytest.raises(InvalidConfig, match="highlight is 'all'"):
        SearchConfig(highlight="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_several_phrasings_are_the_mean_of_each(retriever: Retriever, mode: str) -> None:
    texts = ["ferry line 3", "passport", '"garden page" -engine']
    every = retriever.collection.stats().chunks
    config = SearchConfig(k=every, candidates=every, mode=mode, collapse=False)  # type: ignore[arg-type]
    each = [{hit.id: hit.score for hit in hits} for hits in retriever.search_batch_with(texts, config)]
    hits = retriever.search_any_with(texts, config)
    assert not any("engine" in hit.text for hit in hits)
    for hit in hits:
        assert hit.score == pytest.approx(sum(scores.get(hit.id, min(scores.values())) for scores in each) / 3)
        assert Path(hit.file).is_file()
    assert retriever.search_any(texts[:2], k=3) == retriever.search_any_with(texts[:2], SearchConfig(k=3))
    for wrong in ([], ["ferry", " "]):
        with pytest.raises(InvalidQuery):
            retriever.search_any(wrong)


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
@pytest.mark.parametrize("rerank", [False, True])
def test_hits_one_by_one_are_those_of_a_search(retriever: Retriever, mode: str, rerank: bool) -> None:
    config = SearchConfig(k=90, mode=mode, rerank=rerank, collapse=False)  # type: ignore[arg-type]
    query, where = "the engine page says 5 -dough", {"kind": "markdown"}
    whole = [dataclasses.replace(hit, highlight=None) for hit in retriever.search_with(query, config, where=where)]
    assert len(whole) > 70
    assert list(retriever.iter_search(query, config, where=where)) == whole

    async def all_of() -> list[Hit]:
        return [hit async for hit in retriever.aiter_search(query, config, where=where)]

    assert asyncio.run(all_of()) == whole


def test_hits_one_by_one_are_read_as_they_are_taken(retriever: Retriever, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    chunks = Collection.chunks

    def counted(self: Collection, rows: Sequence[Row]) -> list[Chunk]:
        nonlocal read
        read += len(rows)
        return chunks(self, rows)

    monkeypatch.setattr(Collection, "chunks", counted)
    found = retriever.iter_search("ferry", SearchConfig(k=100_000, mode="dense"))
    assert read == 0
    next(found)
    assert 0 < read < 100
    assert len(list(found)) + 1 == retriever.collection.stats().chunks


def test_hits_one_by_one_refuse_at_once(retriever: Retriever) -> None:
    with pytest.raises(InvalidQuery):
        retriever.iter_search(" ", SearchConfig())
    with pytest.raises(InvalidConfig, match="neither grouped nor chosen"):
        retriever.iter_search("x", SearchConfig(group_by="file"))


def test_more_than_there_is_and_fewer_candidates_than_hits(retriever: Retriever) -> None:
    every = retriever.collection.stats().chunks
    config = SearchConfig(k=every + 50, mode="dense", collapse=False)
    assert len(retriever.search_with("ferry line", config)) == every
    few = SearchConfig(k=30, candidates=3, mode="dense", collapse=False)
    assert [hit.id for hit in retriever.search_with("ferry line", few)] == [
        hit.id for hit in retriever.search_with("ferry line", config)[:30]
    ]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
def test_a_batch_gives_what_each_query_gives_alone(retriever, mode):
    texts = ["garden", 'what grows in the "second bed"', "planets -garden", "planets", "weather and bread"]
    together = retriever.search_batch(texts, mode=mode, k=7)
    assert together == [retriever.search(text, mode=mode, k=7) for text in texts]
    assert retriever.search_batch([], mode=mode) == []
    where = {"path": "garden.md"}
    alone = [retriever.search(text, mode=mode, where=where) for text in texts]
    assert retriever.search_batch(texts, mode=mode, where=where) == alone
