"""BM25: terms of any script, harmless queries, statistics of the whole index, and the formula itself."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from c2vsearch.index.lexical import LexicalIndex, query_terms, spaced, write_version
from c2vsearch.records import Chunk


def chunk(text: str, *, title: str = "") -> Chunk:
    return Chunk(
        id=text, doc_id="d", source="s", start=0, end=len(text), text=text, start_line=1, end_line=1, title=title
    )


def make(place: Path, texts: list[str]) -> LexicalIndex:
    write_version(place, previous=None, added=((f"s:{n}", chunk(text)) for n, text in enumerate(texts)), removed=())
    return LexicalIndex(place)


def test_scores_are_the_formula(tmp_path: Path) -> None:
    """Robertson's BM25 with k1 1.2, b 0.75 and Lucene's idf, computed by hand (lengths below 40 are stored exactly)."""
    texts = ["red fox", "red red dog runs", "blue whale swims far away", "dog"]
    index = make(tmp_path / "v", texts)
    lengths = [len(text.split()) for text in texts]
    average = sum(lengths) / len(texts)

    def score(query: str, text: str, length: int) -> float:
        total = 0.0
        for term in query.split():
            frequency, holding = Counter(text.split())[term], sum(term in other.split() for other in texts)
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            total += idf * frequency * 2.2 / (frequency + 1.2 * (1 - 0.75 + 0.75 * length / average))
        return total

    expected = {f"s:{n}": score("red dog", text, lengths[n]) for n, text in enumerate(texts)}
    for key, value in index.search("red dog", k=10):
        assert value == pytest.approx(expected.pop(key), rel=1e-4)
    assert all(value == 0 for value in expected.values())


@pytest.mark.parametrize(
    "query", ['"', "a:b", "*", "-x", "AND OR NOT", "(", "[a TO b]", "fox~9", "\\", "^", "title:fox\0", "🎉"]
)
def test_no_query_is_syntax(tmp_path: Path, query: str) -> None:
    index = make(tmp_path / "v", ["the quick fox", "a b x"])
    index.search(query, k=5)
    assert [key for key, _ in index.search(query + " fox", k=5)][0] == "s:0" or "x" in query


@pytest.mark.parametrize(
    ("text", "query"),
    [("東京の天気は晴れです", "天気"), ("今天天气很好", "天气"), ("한국어 문서입니다", "문서"), ("ฉันรักภาษาไทย", "ภาษา"),
     ("Ελληνικό κείμενο", "κείμενο"), ("Größe der Straße", "GRÖSSE"), ("ﬁle naïve", "file naive"), ("claims are filed", "claim")],
)  # fmt: skip
def test_any_script_is_found(tmp_path: Path, text: str, query: str) -> None:
    index = make(tmp_path / "v", ["something else", text, "completely other words"])
    assert [key for key, _ in index.search(query, k=5)] == ["s:1"]


def test_stop_words_count_only_when_alone() -> None:
    assert query_terms("what is the ferry") == {"ferri": 1}
    assert query_terms("to be or not to be") == {"to": 2, "be": 2, "or": 1, "not": 1}
    assert query_terms("?!") == {}
    assert len(query_terms(" ".join(f"w{n}" for n in range(5000)))) == 1024


def test_bigrams_of_a_single_character() -> None:
    assert spaced("猫 x").split() == ["猫", "x"]


def test_a_version_leaves_its_predecessor_alone(tmp_path: Path) -> None:
    first = make(tmp_path / "v1", ["red fox", "blue fox"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "v1").iterdir()}
    write_version(tmp_path / "v2", previous=tmp_path / "v1", added=[("s:2", chunk("green fox"))], removed=["s:0"])
    assert {key for key, _ in LexicalIndex(tmp_path / "v2").search("fox", k=9)} == {"s:1", "s:2"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "v1").iterdir() if path.name in before} == before
    assert {key for key, _ in first.search("fox", k=9)} == {"s:0", "s:1"}
    assert {key for key, _ in LexicalIndex(tmp_path / "v1").search("fox", k=9)} == {"s:0", "s:1"}


def test_headings_and_titles_are_searched(tmp_path: Path) -> None:
    write_version(
        tmp_path / "v", previous=None, added=[("s:0", chunk("no such word", title="Parental leave"))], removed=()
    )
    assert [key for key, _ in LexicalIndex(tmp_path / "v").search("parental", k=3)] == ["s:0"]
