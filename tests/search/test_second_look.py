"""The second look by stored codes: against the formula, against codes made anew, and where it is left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory, load_encoder
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.config import SearchConfig
from c2vsearch.search.rerank import CodedInteraction

HANDBOOK = Path(__file__).parents[2] / "sample_corpora" / "handbook"
QUERIES = ["how do I claim the cost of a taxi", "who may open the archive at night", "ferry times"]
STORED = SearchConfig(k=30, rerank_candidates=30, collapse=False)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, encoder) -> Path:
    return built(tmp_path_factory.mktemp("coded"), encoder, codes=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, encoder) -> Path:
    return built(tmp_path_factory.mktemp("plain"), encoder, codes=False)


def built(place: Path, encoder, *, codes: bool) -> Path:
    index_directory(HANDBOOK / "pay", index=place / "i", encoder=encoder, spec={"token_codes": codes})
    return place / "i"


def looked_at(hits) -> list[tuple[str, float]]:
    return [(hit.id, stage.score) for hit in hits for stage in hit.stages if stage.stage == "rerank"]


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_maxsim_of_the_decoded_states_mixed_with_the_first(coded: Path, encoder, query: str) -> None:
    with Retriever.open(coded, encoder=encoder) as retriever:
        first = retriever.search_with(query, dataclasses.replace(STORED, rerank=False))
        found = retriever.search_with(query, STORED)
    codec, asked = encoder.token_codec, encoder.encode_query_tokens(query)
    second = {}
    chunks = {chunk.id: chunk for chunk in retriever.collection.iter_chunks()}
    for hit in first:
        [codes] = encoder.encode_token_codes([chunks[hit.id].embedded_text])
        best = [max(float(q @ d) for d in codec.decode(codes)) for q in codec.rotated(asked)]
        second[hit.id] = sum(best) / len(best)
    share = CodedInteraction.weight
    scores = {hit.id: hit.score for hit in first}
    mixed = {
        name: 1 + share * scale(second[name], second) + (1 - share) * scale(scores[name], scores) for name in scores
    }
    assert {hit.id: hit.score for hit in found} == pytest.approx(mixed, abs=1e-4)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def scale(value: float, among: dict[str, float]) -> float:
    low, high = min(among.values()), max(among.values())
    return (value - low) / (high - low)


@pytest.mark.parametrize("query", QUERIES)
def test_codes_that_are_not_stored_are_made_with_the_same_scores(coded: Path, plain: Path, encoder, query: str) -> None:
    with Retriever.open(coded, encoder=encoder) as stored, Retriever.open(plain, encoder=encoder) as anew:
        asked = dataclasses.replace(STORED, rerank=True)
        expected = looked_at(stored.search_with(query, STORED))
        assert len(expected) == 30
        assert looked_at(stored.search_with(query, asked)) == expected
        assert looked_at(anew.search_with(query, asked)) == expected
        assert looked_at(anew.search_with(query, STORED)) == []  # would take a forward pass for each


def test_an_index_with_codes_of_some_chunks(coded: Path, encoder, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, name in enumerate(sorted(HANDBOOK.rglob("*.md"))[:6]):
        (docs / f"{number}.md").write_text(name.read_text("utf-8"), "utf-8")
        index_directory(docs, index=tmp_path / "i", encoder=encoder, spec={"token_codes": number % 2 == 0})
    with Retriever.open(tmp_path / "i", encoder=encoder) as retriever:
        rows = [row for row, _ in retriever.collection.iter_rows()]
        stored = retriever.collection.token_codes(rows, codec=encoder.token_codec.identity)
        assert None in stored
        assert any(stored)
        found = retriever.search_with("who is on call", dataclasses.replace(STORED, rerank=True))
        assert len(looked_at(found)) == len(found)
        assert looked_at(retriever.search_with("who is on call", STORED)) == []


@pytest.mark.parametrize("mode", ["dense", "bm25"])
def test_one_leg_alone_stays_as_it_is_unless_it_is_asked_for(coded: Path, encoder, mode: str) -> None:
    with Retriever.open(coded, encoder=encoder) as retriever:
        assert looked_at(retriever.search(QUERIES[0], mode=mode)) == []
        assert len(looked_at(retriever.search(QUERIES[0], mode=mode, rerank=True))) > 0


def test_a_reranker_that_was_given_waits_until_it_is_asked_for(coded: Path, encoder) -> None:
    class Lengths:
        weight = 1.0

        def scores(self, query, texts):
            return [float(len(text)) for text in texts]

    with Retriever.open(coded, encoder=encoder) as plain:
        expected = plain.search(QUERIES[0])
    with Retriever.open(coded, encoder=encoder, reranker=Lengths()) as retriever:
        assert retriever.search(QUERIES[0]) == expected  # by stored codes, as without it
        assert looked_at(expected)
        found = retriever.search(QUERIES[0], rerank=True)
        lengths = {hit.id: len(chunk) for hit, chunk in zip(found, texts(retriever, found), strict=True)}
        assert [lengths[hit.id] for hit in found] == sorted(lengths.values(), reverse=True)


def texts(retriever: Retriever, hits) -> list[str]:
    chunks = {chunk.id: chunk.embedded_text for chunk in retriever.collection.iter_chunks()}
    return [chunks[hit.id] for hit in hits]


def test_a_budget_does_not_matter_to_what_is_stored(coded: Path, plain: Path, encoder) -> None:
    hurried = dataclasses.replace(STORED, rerank=True, rerank_budget_ms=0.001)
    with Retriever.open(coded, encoder=encoder) as stored, Retriever.open(plain, encoder=encoder) as anew:
        assert len(looked_at(stored.search_with(QUERIES[0], hurried))) == 30
        assert len(looked_at(anew.search_with(QUERIES[0], hurried))) == 1


def test_batches_and_streams_are_looked_at_too(coded: Path, encoder) -> None:
    with Retriever.open(coded, encoder=encoder) as retriever:
        single = [[hit.id for hit in retriever.search(query)] for query in QUERIES]
        assert [[hit.id for hit in hits] for hits in retriever.search_batch(QUERIES)] == single
        streamed = list(retriever.iter_search(QUERIES[0], SearchConfig()))
        assert looked_at(streamed)
        assert np.all(np.diff([hit.score for hit in streamed]) <= 0)


@pytest.mark.parametrize("query", QUERIES)
def test_the_best_sentence_by_codes_is_that_of_the_formula(coded: Path, encoder, query: str) -> None:
    with Retriever.open(coded, encoder=encoder) as retriever:
        hits = retriever.search_with(query, SearchConfig(highlight="stored"))
        chunks = {chunk.id: chunk for chunk in retriever.collection.iter_chunks()}
    codec = encoder.token_codec
    asked = codec.rotated(encoder.encode_query_tokens(query))
    for hit in hits:
        chunk = chunks[hit.id]
        [codes] = encoder.encode_token_codes([chunk.embedded_text])
        states, spans = codec.decode(codes), encoder.coded_spans(chunk.embedded_text)
        above = len(chunk.embedded_text) - len(chunk.text)
        best: dict[tuple[int, int], list[float]] = {}
        for start, end in sentence_spans(chunk.text):
            inside = [
                row
                for row, (a, b) in zip(states, spans, strict=True)
                if a < b and start + above < b and a < end + above
            ]
            if inside:
                best[start, end] = [max(float(q @ row) for row in inside) for q in asked]
        means = np.mean(list(best.values()), axis=0)
        gains = {span: sum(max(0.0, x - m) for x, m in zip(near, means, strict=True)) for span, near in best.items()}
        assert hit.highlight is not None
        assert gains[hit.highlight] == pytest.approx(max(gains.values()), abs=1e-4)


def test_sentences_are_found_by_words_where_there_are_no_codes(coded: Path, plain: Path, encoder) -> None:
    query = QUERIES[0]
    with Retriever.open(coded, encoder=encoder) as stored, Retriever.open(plain, encoder=encoder) as anew:
        words = SearchConfig(rerank=False, highlight="words")
        expected = [hit.highlight for hit in anew.search_with(query, words)]
        assert [hit.highlight for hit in anew.search_with(query, SearchConfig(highlight="stored"))] == expected
        assert [hit.highlight for hit in stored.search_with(query, SearchConfig(mode="bm25", highlight="stored"))] == [
            hit.highlight for hit in stored.search_with(query, SearchConfig(mode="bm25", highlight="words"))
        ]
        # By states where they are asked for, if it takes a forward pass.
        states = SearchConfig(rerank=False, highlight="states")
        assert [hit.highlight for hit in anew.search_with(query, states)] != expected
