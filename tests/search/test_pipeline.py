"""The stages over an index in memory: what each gives is known beforehand."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from c2vsearch.collection import Row, RowScore
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidQuery
from c2vsearch.records import Chunk
from c2vsearch.search import search, weighted
from c2vsearch.search.candidate import TELLING_WORDS
from c2vsearch.search.pipeline import search_any
from c2vsearch.search.query import Query, plain_query

VECTOR = np.ones(4, dtype=np.float32)


class InMemory:
    """Answers with the scores it was given, best first, as a collection does."""

    def __init__(self, chunks, dense, lexical):
        self._chunks, self._dense, self._lexical = chunks, dense, lexical
        self.manifest = SimpleNamespace(shards=[SimpleNamespace(rows=len(chunks))])
        self.asked = []

    def _top(self, scores, k):
        self.asked.append(k)
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
        return [RowScore(Row(0, number), score) for number, score in ordered]

    def search_vectors(self, vector, *, k, among=None):
        return self._top(self._dense, k)

    def search_text(self, query, *, k, among=None):
        return self._top(self._lexical, k)

    def cosines(self, rows, vector):
        return [0.1 for _ in rows]

    def text_ceiling(self, query):
        return 20.0

    def chunks(self, rows):
        return [self._chunks[row.row] for row in rows]


class ByLength:
    """Longer texts are better."""

    weight = 0.6

    def scores(self, query, texts):
        return [float(len(text)) for text in texts]


def chunk(number, *, id=None, source="a.md", text=None):
    text = text or f"text {number} " + "x" * number
    return Chunk(
        id=id or f"{number:04}", doc_id=source, source=source, start=0, end=len(text), text=text, start_line=1,
        end_line=1, hash=text,
    )  # fmt: skip


@pytest.fixture
def collection():
    dense = {number: 0.9 - number / 20 for number in range(8)}
    lexical = {9: 14.0, 3: 11.0, 8: 6.0, 0: 2.5}
    return InMemory([chunk(number) for number in range(10)], dense, lexical)


def falls(hits):
    scores = [hit.score for hit in hits]
    return scores == sorted(scores, reverse=True) and [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_each_mode_gives_the_order_of_its_scores(collection):
    cosines = {**dict.fromkeys(collection._lexical, 0.1), **collection._dense}
    weight = SearchConfig.lexical_weight
    fused = weighted(cosines, collection._lexical, lexical_weight=weight, words=1, ceiling=20.0, lookup=True)
    for mode, scores in (("dense", collection._dense), ("bm25", collection._lexical), ("hybrid", fused)):
        hits = search(collection, Query("text"), vector=VECTOR, config=SearchConfig(mode=mode))
        expected = sorted(scores, key=lambda number: (-scores[number], number))
        assert [int(hit.id) for hit in hits] == expected
        assert [hit.score for hit in hits] == pytest.approx([scores[number] for number in expected])
        assert falls(hits)


def test_every_stage_leaves_its_score_and_rank(collection):
    hits = search(collection, Query("text"), vector=VECTOR, config=SearchConfig())
    third = next(hit for hit in hits if hit.id == "0003")
    stages = {stage.stage: (stage.score, stage.rank) for stage in third.stages}
    assert stages["dense"] == (pytest.approx(0.75), 4)
    assert stages["bm25"] == (11.0, 2)
    assert stages["fused"] == (pytest.approx(third.score), third.rank)
    assert [stage.stage for stage in next(hit for hit in hits if hit.id == "0009").stages] == ["bm25", "fused"]


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
@pytest.mark.parametrize("head", [1, 2, 3, 50])
def test_rerank_is_a_permutation_of_the_head_and_keeps_the_tail(collection, mode, head):
    plain = search(collection, Query("text"), vector=VECTOR, config=SearchConfig(mode=mode))
    config = SearchConfig(mode=mode, rerank=True, rerank_candidates=head, rerank_weight=1.0)
    hits = search(collection, Query("text"), vector=VECTOR, config=config, reranker=ByLength())
    assert falls(hits)
    longest_first = sorted((hit.id for hit in plain[:head]), key=int, reverse=True)
    assert [hit.id for hit in hits] == longest_first + [hit.id for hit in plain[head:]]
    assert [hit.id for hit in hits if hit.stages[-1].stage == "rerank"] == longest_first


def test_the_weight_of_the_second_look_mixes_scaled_scores(collection):
    config = SearchConfig(mode="bm25", rerank_candidates=3, rerank_weight=0.25)
    hits = search(collection, Query("text"), vector=None, config=config, reranker=ByLength())
    first = {9: 1.0, 3: (11 - 6) / (14 - 6), 8: 0.0}
    lengths = {number: len(collection._chunks[number].text) for number in first}
    low, high = min(lengths.values()), max(lengths.values())
    mixed = {n: 1 + 0.25 * (lengths[n] - low) / (high - low) + 0.75 * first[n] for n in first}
    assert {int(hit.id): hit.score for hit in hits[:3]} == pytest.approx(mixed)


def test_a_reranker_says_what_its_scores_weigh(collection):
    own = search(collection, Query("text"), vector=VECTOR, config=SearchConfig(), reranker=ByLength())
    said = [
        search(collection, Query("text"), vector=VECTOR, config=SearchConfig(rerank_weight=weight), reranker=ByLength())
        for weight in (0.6, 0.0)
    ]
    assert own == said[0] != said[1]


@pytest.mark.parametrize("fitting", [1, 3, 20])
def test_what_there_was_no_time_for_stays_behind_in_its_order(collection, monkeypatch, fitting):
    def within(reranker, query, texts, *, budget_s):
        assert budget_s == 0.25
        return reranker.scores(query, texts[:fitting])

    monkeypatch.setattr("c2vsearch.search.second_look.scores_within", within)
    plain = search(collection, Query("text"), vector=VECTOR, config=SearchConfig())
    config = SearchConfig(rerank_budget_ms=250, rerank_weight=1.0)
    hits = search(collection, Query("text"), vector=VECTOR, config=config, reranker=ByLength())
    assert falls(hits)
    longest_first = sorted((hit.id for hit in plain[:fitting]), key=int, reverse=True)
    assert [hit.id for hit in hits] == longest_first + [hit.id for hit in plain[fitting:]]
    assert [hit.id for hit in hits if hit.stages[-1].stage == "rerank"] == longest_first


def test_equal_scores_are_in_the_order_of_ids_not_of_rows():
    names = ["d", "b", "e", "a", "c"]
    index = InMemory([chunk(n, id=name) for n, name in enumerate(names)], dict.fromkeys(range(5), 0.5), {})
    for k in (1, 2, 5):
        hits = search(index, Query("text"), vector=VECTOR, config=SearchConfig(k=k, mode="dense"))
        assert [hit.id for hit in hits] == sorted(names)[:k]


def test_a_text_that_stands_in_several_places_is_one_hit_that_knows_them():
    chunks = [chunk(0, text="Same!"), chunk(1, text="same"), chunk(2, text="same", source="b.md"), chunk(3)]
    index = InMemory(chunks, {0: 0.6, 1: 0.9, 2: 0.5, 3: 0.1}, {})
    hits = search(index, Query("text"), vector=VECTOR, config=SearchConfig(k=2, mode="dense"))
    assert [hit.id for hit in hits] == ["0001", "0003"]
    assert [place.source for place in hits[0].repeats] == ["a.md", "b.md"]
    kept = search(index, Query("text"), vector=VECTOR, config=SearchConfig(k=4, mode="dense", collapse=False))
    assert [hit.id for hit in kept] == ["0001", "0000", "0002", "0003"]
    assert not any(hit.repeats for hit in kept)


def test_a_short_text_under_another_heading_says_something_else():
    below = [dataclasses.replace(chunk(n, text="None."), context=f"Chapter {n}") for n in range(2)]
    long = " ".join(f"word{n}" for n in range(TELLING_WORDS))
    pages = [dataclasses.replace(chunk(n, text=long), context=f"Chapter {n}") for n in (2, 3)]
    index = InMemory([*below, *pages], {n: 0.9 - n / 10 for n in range(4)}, {})
    hits = search(index, Query("text"), vector=VECTOR, config=SearchConfig(mode="dense"))
    assert [hit.id for hit in hits] == ["0000", "0001", "0002"]


def test_no_leg_is_asked_for_more_than_there_is(collection):
    search(collection, Query("text"), vector=VECTOR, config=SearchConfig(k=10**12))
    assert collection.asked == [10, 10]


def test_without_highlight_only_the_highlight_is_missing(collection):
    plain = search(collection, Query("text"), vector=VECTOR, config=SearchConfig())
    bare = search(collection, Query("text"), vector=VECTOR, config=SearchConfig(), highlighter=None)
    assert [(hit.id, hit.score) for hit in bare] == [(hit.id, hit.score) for hit in plain]
    assert all(hit.highlight for hit in plain)
    assert not any(hit.highlight for hit in bare)


def test_nothing_found_is_an_empty_list():
    index = InMemory([chunk(0)], {}, {})
    assert search(index, Query("text"), vector=VECTOR, config=SearchConfig(), reranker=ByLength()) == []


@pytest.mark.parametrize("text", ["", "  \n\t", "\0"])
def test_an_empty_query_is_refused(text):
    with pytest.raises(InvalidQuery, match="empty"):
        plain_query(text)


def test_a_query_is_cleaned_of_what_no_index_can_hold():
    assert plain_query(" a\0b \udcff ").text == "a b ?"


class ByQuery(InMemory):
    """Has scores for each query, by its vector's first number or its words."""

    def search_vectors(self, vector, *, k, among=None):
        return self._top(self._dense[int(vector[0])], k)

    def search_text(self, query, *, k, among=None):
        return self._top(self._lexical[query], k)


def test_phrasings_are_searched_one_by_one_and_their_scores_averaged():
    dense = [{0: 0.9, 1: 0.6, 2: 0.3}, {1: 0.8, 3: 0.4}]
    lexical = {"one": {4: 8.0, 1: 2.0}, "two": {}}
    index = ByQuery([chunk(number) for number in range(5)], dense, lexical)
    vectors = np.array([[0.0], [1.0]], dtype=np.float32)
    queries = [Query("one"), Query("two")]
    hits = search_any(index, queries, vectors=vectors, config=SearchConfig(mode="dense"))
    expected = {0: (0.9 + 0.4) / 2, 1: (0.6 + 0.8) / 2, 2: (0.3 + 0.4) / 2, 3: (0.3 + 0.4) / 2}
    assert {int(hit.id): hit.score for hit in hits} == pytest.approx(expected)
    assert [int(hit.id) for hit in hits] == [1, 0, 2, 3]
    assert [(stage.stage, stage.score, stage.rank) for stage in hits[0].stages] == [
        ("phrasing 1", 0.6, 2), ("phrasing 2", 0.8, 1), ("phrasings", pytest.approx(0.7), 1),
    ]  # fmt: skip
    hits = search_any(index, queries, vectors=None, config=SearchConfig(mode="bm25"))
    assert {int(hit.id): hit.score for hit in hits} == {4: 8.0, 1: 2.0}
    alone = search(index, Query("one"), vector=vectors[0], config=SearchConfig(mode="dense"))
    same = search_any(index, [Query("one")] * 2, vectors=vectors[[0, 0]], config=SearchConfig(mode="dense"))
    assert [(hit.id, hit.score) for hit in same] == [(hit.id, hit.score) for hit in alone]
    reranked = search_any(
        index,
        queries,
        vectors=vectors,
        config=SearchConfig(mode="dense", rerank_candidates=4, rerank_weight=1.0),
        reranker=ByLength(),
    )
    assert [int(hit.id) for hit in reranked] == [3, 2, 1, 0]
