from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.errors import CorruptFile, StorageFull
from c2vsearch.index import lexical
from c2vsearch.index.analysis import MAX_QUERY_TERMS, query_terms, terms_of
from c2vsearch.index.lexical import HEADING_BOOST, LexicalIndex, deleted_documents, write_version
from c2vsearch.records import Chunk

EMPTY = Chunk(id="", doc_id="", source="", start=0, end=0, text="", start_line=1, end_line=1)
WORDS = "apple boat claim ferry harbour island journey kettle lantern meadow north orchard".split()


def chunk(text: str, *, title: str = "", headings: tuple[str, ...] = ()) -> Chunk:
    return dataclasses.replace(EMPTY, text=text, title=title, heading_path=headings)


def build(directory: Path, documents: dict[str, Chunk]) -> LexicalIndex:
    write_version(directory, previous=[], added=documents.items(), removed=[])
    return opened(directory)


def opened(directory: Path) -> LexicalIndex:
    return LexicalIndex(sorted(directory.iterdir()))


def found(index: LexicalIndex, query: str) -> set[str]:
    return {key for key, _ in index.search(query, k=1000)}


def sentences(count: int, *, seed: int = 0) -> dict[str, Chunk]:
    chance = random.Random(seed)
    return {
        f"{seed:016x}:{number}": chunk(
            " ".join(chance.choices(WORDS, k=chance.randint(1, 25))), title=" ".join(chance.choices(WORDS, k=2))
        )
        for number in range(count)
    }


def bm25(documents: dict[str, Chunk], query: str) -> dict[str, float]:
    """The formula (Robertson and Zaragoza 2009, eq. 3.15; k1 1.2, b 0.75), over body and boosted head."""
    heads = {key: terms_of(c.title) for key, c in documents.items()}
    bodies = {key: heads[key] + terms_of(c.text) for key, c in documents.items()}
    scores: Counter[str] = Counter()
    for field, boost in ((bodies, 1.0), (heads, HEADING_BOOST)):
        mean = sum(map(len, field.values())) / len(field)
        for term, times in query_terms(query).items():
            having = sum(term in words for words in field.values())
            weight = math.log(1 + (len(field) - having + 0.5) / (having + 0.5))
            for key, words in field.items():
                if tf := words.count(term):
                    norm = 1.2 * (1 - 0.75 + 0.75 * len(words) / mean)
                    scores[key] += boost * times * weight * tf * 2.2 / (tf + norm)
    return dict(scores)


def test_scores_are_bm25(tmp_path: Path) -> None:
    documents = sentences(80)
    index = build(tmp_path / "a", documents)
    for query in ("ferry", "boat boat apple", "Claims of the islands", "meadows lantern kettle north zebra"):
        expected = bm25(documents, query)
        result = index.search(query, k=1000)
        assert dict(result) == pytest.approx(expected, rel=1e-4)
        assert [score for _, score in result] == sorted((score for _, score in result), reverse=True)
        assert [key for key, _ in index.search(query, k=3)] == [key for key, _ in result[:3]]


def test_a_word_asked_for_twice_counts_twice(tmp_path: Path) -> None:
    index = build(tmp_path / "a", sentences(20))
    once, twice = dict(index.search("ferry", k=99)), dict(index.search("ferry ferry", k=99))
    assert twice == pytest.approx({key: 2 * score for key, score in once.items()})


def bytes_of(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_versions_grow_from_another_and_old_ones_keep_their_bytes(tmp_path: Path) -> None:
    documents = sentences(40, seed=0)
    write_version(tmp_path / "0", previous=[], added=documents.items(), removed=[])
    before = {"0": bytes_of(tmp_path / "0")}
    states = {"0": dict(documents)}
    for step in range(1, 9):
        old, new = tmp_path / str(step - 1), tmp_path / str(step)
        removed = random.Random(step).sample(sorted(documents), k=5)
        added = sentences(9, seed=step)
        write_version(new, previous=sorted(old.iterdir()), added=added.items(), removed=removed)
        documents = {key: c for key, c in documents.items() if key not in removed} | added
        before[new.name], states[new.name] = bytes_of(new), dict(documents)
    for name, hashes in before.items():
        assert bytes_of(tmp_path / name) == hashes
        index = opened(tmp_path / name)
        assert len(index) == len(states[name])
        for word in WORDS:
            words = {key: terms_of(f"{c.title} {c.text}") for key, c in states[name].items()}
            assert found(index, word) == {key for key, terms in words.items() if terms_of(word)[0] in terms}
    linked = [path for path in (tmp_path / "8").iterdir() if path.stat().st_nlink > 1]
    assert linked, "nothing was shared with the version before"
    meta = json.loads((tmp_path / "8" / "meta.json").read_text())
    assert deleted_documents(tmp_path / "8") == sum(s["max_doc"] for s in meta["segments"]) - len(documents)


def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = sentences(10)
    build(tmp_path / "a", documents)

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    more = sentences(3, seed=1)
    write_version(tmp_path / "b", previous=sorted((tmp_path / "a").iterdir()), added=more.items(), removed=[])
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "b").iterdir())
    assert len(opened(tmp_path / "b")) == 13


def test_readers_leave_no_trace(tmp_path: Path) -> None:
    index = build(tmp_path / "a", sentences(5))
    before = sorted(os.listdir(tmp_path / "a"))
    assert not [name for name in before if name.endswith(".lock")]
    index.search("ferry", k=3)
    assert sorted(os.listdir(tmp_path / "a")) == before


def test_a_directory_that_cannot_be_written_to_is_searched(tmp_path: Path) -> None:
    build(tmp_path / "a", {"k:0": chunk("the ferry leaves")})
    program = """
import os, sys
from pathlib import Path
from c2vsearch.index import lexical, analysis
analysis.tantivy()
import tempfile
place = Path(sys.argv[1])
if os.geteuid() == 0:  # root may write anywhere: be somebody else
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    (place / "x").touch()
except OSError:
    print(lexical.LexicalIndex(sorted(place.iterdir())).search("ferry", k=1)[0][0])
"""
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in tmp_path.parents):
        pytest.skip("the place for temporary files is closed to the user this test becomes")
    (tmp_path / "a").chmod(0o555)
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], capture_output=True, text=True)
    assert run.stdout.strip() == "k:0", run.stderr


@pytest.mark.parametrize(
    "query", ['"', ":", "*", "-ferry", "AND OR NOT", "ferry AND (", "body:x", "ferry~2", "[a TO z]", "+", "\\", "\0"]
)  # fmt: skip
def test_a_query_has_no_syntax(tmp_path: Path, query: str) -> None:
    index = build(tmp_path / "a", {"k:0": chunk("the ferry leaves"), "k:1": chunk("nothing here")})
    assert found(index, query) == ({"k:0"} if "ferry" in query else set())


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=50))
def test_any_text_has_terms(text: str) -> None:
    assert all(count > 0 for count in query_terms(text).values())


def test_stop_words_are_left_out_unless_there_is_nothing_else() -> None:
    assert list(query_terms("how do I get to the ferry?")) == ["get", "ferri"]
    assert list(query_terms("to be or not to be")) == ["to", "be", "or", "not"]
    assert not query_terms("?! ...")


def test_a_query_as_long_as_a_book_is_cut_to_its_frequent_terms() -> None:
    terms = query_terms(" ".join(f"word{number}" for number in range(5000)) + " ferry ferry")
    assert len(terms) == MAX_QUERY_TERMS
    assert terms["ferri"] == 2


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("東京都庁の営業時間", "営業時間"), ("한국어문서검색", "문서"), ("การเดินทางด้วยเรือ", "เดินทาง"),
        ("カタカナのテスト", "カタカナ"), ("max_tokens and snake_case", "tokens"), ("the CAFÉ", "cafe"),
        ("naive", "naïve"), ("ﬁle", "file"), ("STRASSE", "straße"), ("हिन्दी पाठ", "हिन्दी"),
        ("running ferries", "ferry runs"),
        ("日", "日"), ("call read_document()", "read_document"), ("x" * 128, "x" * 128),
    ],
)  # fmt: skip
def test_words_of_many_scripts_are_found(tmp_path: Path, text: str, query: str) -> None:
    index = build(tmp_path / "a", {"k:0": chunk(text), "k:1": chunk("unrelated 無関係 다른")})
    assert found(index, query) == {"k:0"}


def test_title_and_headings_are_searched_and_count_more(tmp_path: Path) -> None:
    documents = {
        "k:0": chunk("one two three four", title="ferry"),
        "k:1": chunk("one two three four", headings=("Travel", "Ferry")),
        "k:2": chunk("ferry one two three four"),
        "k:3": chunk("one two three four five"),
    }
    index = build(tmp_path / "a", documents)
    order = [key for key, _ in index.search("ferry", k=9)]
    assert set(order) == {"k:0", "k:1", "k:2"}
    assert order[-1] == "k:2"


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    assert build(tmp_path / "a", {}).search("ferry", k=5) == []


def test_a_full_disk_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise ValueError('IO error: Os { code: 28, kind: StorageFull, message: "No space left on device" }')

    monkeypatch.setattr(lexical, "_change", full)
    with pytest.raises(StorageFull):
        build(tmp_path / "a", {})


def test_a_real_size_limit_is_told_apart(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from c2vsearch.errors import StorageFull
from c2vsearch.index.lexical import write_version
from c2vsearch.records import Chunk
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
text = lambda n: " ".join(f"w{n * 50 + i}" for i in range(50))
chunks = ((f"k:{n}", Chunk(id="", doc_id="", source="", start=0, end=0, text=text(n), start_line=1, end_line=1))
          for n in range(400))
try:
    write_version(Path(sys.argv[1], "a"), previous=[], added=chunks, removed=[])
except StorageFull as error:
    print("StorageFull")
"""
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert run.stdout.strip() == "StorageFull", run.stderr


def test_what_tantivy_cannot_read_is_corrupt(tmp_path: Path) -> None:
    build(tmp_path / "a", sentences(3))
    (tmp_path / "a" / "meta.json").write_text("{}")
    with pytest.raises(CorruptFile, match="cannot be read by tantivy"):
        opened(tmp_path / "a")


def test_scores_of_chosen_chunks_are_those_of_the_search(tmp_path: Path) -> None:
    documents = {**sentences(60), "none": chunk("zzz")}
    index = build(tmp_path / "v", documents)
    query = "ferry to the harbour, ferry orchard"
    whole = dict(index.search(query, k=1000))
    chosen = [*list(documents)[::7], "none", "not there"]
    assert index.scores(query, chosen) == pytest.approx({key: whole.get(key, 0.0) for key in chosen}, rel=1e-6)
    assert index.scores(query, []) == {}
    assert index.scores("?!", ["none"]) == {"none": 0.0}
