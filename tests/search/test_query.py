"""Phrases and exclusions: what is an operator, and what comes back, against every chunk read by hand."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch import Retriever, index_directory
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidQuery
from c2vsearch.index.analysis import query_terms
from c2vsearch.search.phrases import keyword_hits
from c2vsearch.search.query import Query, parse_query, plain_query

WORDS = "blue ferry times old harbour winter island the of".split()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('"ferry times"', Query("ferry times", ("ferry times",))),
        ('when "ferry times", -old -"in winter"', Query("when ferry times,", ("ferry times",), ("old", "in winter"))),
        ("max -max_tokens", Query("max", (), ("max_tokens",))),
        ('"-k" option', Query("-k option", ("-k",))),
        ('"single" -5', Query("single", ("single",), ("5",))),
    ],
)
def test_operators(text: str, query: Query) -> None:
    assert parse_query(text) == query


@pytest.mark.parametrize(
    "text",
    [
        "-k", "-old -new", "a - b", "a -- b", "a --flag", "well-known", 'a 5" pipe and a 6" pipe', '"unbalanced', 'a"b" c',
        '""', '"..." dots', "-... dots", '-"', "-", "ferry  times\n spaced", '"over\nlines"', '"glued"on', "-the",
    ],
)  # fmt: skip
def test_everything_else_is_words(text: str) -> None:
    assert parse_query(text) == Query(text) == plain_query(text)


@given(st.text())
def test_any_text_is_a_query(text: str) -> None:
    try:
        found = parse_query(text)
    except InvalidQuery:
        assert not text.replace("\0", " ").strip()
        return
    assert found.text
    assert query_terms(found.text) or not query_terms(text)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    place = tmp_path_factory.mktemp("phrases")
    chance = random.Random(5)
    (place / "docs").mkdir()
    for number in range(150):
        heading, text = (" ".join(chance.choices(WORDS, k=size)) for size in (2, chance.randint(3, 9)))
        (place / "docs" / f"{number}.md").write_text(f"# {heading}\n\n{text.capitalize()}.\n")
    index_directory(place / "docs", index=place / "index", encoder="hash")
    return Retriever.open(place / "index")


def parts(hit) -> list[list[str]]:
    """The words of the text, the title and each heading of a hit: here no word has two forms."""
    return [part.lower().replace(".", "").replace("#", "").split() for part in (hit.text, hit.title, *hit.heading_path)]


def has(hit, phrase: str) -> bool:
    return any(f" {phrase} " in f" {' '.join(part)} " for part in parts(hit))


def every(retriever: Retriever, mode: str, text: str) -> list:
    return retriever.search_with(text, SearchConfig(k=1000, candidates=1000, mode=mode, operators=False))


@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
@pytest.mark.parametrize("excluded", ["old", "of the", "blue ferry", "nowhere"])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_no_leg_gives_what_is_excluded(retriever: Retriever, mode: str, excluded: str, k: int) -> None:
    text = f'harbour winter -"{excluded}"'
    hits = retriever.search_with(text, SearchConfig(k=k, candidates=1000, mode=mode))
    expected = [hit for hit in every(retriever, mode, "harbour winter") if not has(hit, excluded)]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected[:k]])
    assert not any(has(hit, excluded) for hit in hits)
    assert (len(expected) < len(every(retriever, mode, "harbour winter"))) == (excluded != "nowhere")


@pytest.mark.parametrize("phrases", [("ferry times",), ("of the", "old harbour"), ("blue",), ("the the the the the",)])
@pytest.mark.parametrize("k", [1, 3, 1000])
def test_keyword_hits_have_the_phrases(
    retriever: Retriever, phrases: tuple[str, ...], k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2vsearch.search.phrases.READ_AT_ONCE", 2)
    quoted = " ".join(f'"{phrase}"' for phrase in phrases)
    hits = retriever.search(f"{quoted} island", k=k, mode="bm25", candidates=k)
    words = f"{' '.join(phrases)} island"
    expected = [hit for hit in every(retriever, "bm25", words) if all(has(hit, phrase) for phrase in phrases)]
    assert [hit.score for hit in hits] == [hit.score for hit in expected[:k]]
    assert {hit.id for hit in hits} <= {hit.id for hit in expected}
    assert len(expected) < 150


def test_operators_and_a_filter_hold_together(retriever: Retriever) -> None:
    where = "path matches '1*.md'"
    allowed = retriever.select(where)
    counted = allowed.matching
    hits = retriever.search('"ferry" -old', k=1000, candidates=1000, mode="bm25", where=where)
    expected = [hit for hit in every(retriever, "bm25", "ferry") if hit.source.startswith("1") and not has(hit, "old")]
    assert [hit.id for hit in hits] == [hit.id for hit in expected]
    assert retriever.select(where) is allowed  # and nothing was taken out of it
    assert sum(int(np.count_nonzero(mask)) for mask in allowed.rows.values()) == counted


def test_an_index_without_rows_has_no_phrases(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(" ")
    index_directory(tmp_path / "docs", index=tmp_path / "index", encoder="hash")
    with Retriever.open(tmp_path / "index") as retriever:
        for mode in ("bm25", "dense", "hybrid"):
            assert retriever.search('"ferry times" -old', mode=mode) == []
            assert retriever.search("ferry", mode=mode, where="path = a.md") == []


def test_the_words_alone_are_encoded(retriever: Retriever) -> None:
    hits = retriever.search('"ferry times" -old', k=3, mode="dense")
    plain = retriever.search("ferry times", k=1000, mode="dense", candidates=1000)
    assert [hit.id for hit in hits] == [hit.id for hit in plain if not has(hit, "old")][:3]


def test_large_selections_are_searched_deeper(retriever: Retriever, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.collection.collection.FEW_KEYS", 0)
    collection = retriever.collection
    hits = keyword_hits(collection, "ferry times", ["ferry times"], k=10**6, among=None)
    assert 0 < len(hits) < len(collection.search_text("ferry times", k=10**6))
