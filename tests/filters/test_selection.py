"""Filters against a slow twin: plain Python over every chunk as it was given, before it was stored."""

from __future__ import annotations

import datetime
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.collection import Collection
from c2vsearch.collection.maintenance import compact
from c2vsearch.errors import CorruptFile, InvalidQuery
from c2vsearch.filters import And, Compare, Filter, Not, Or, PathGlob, Selector
from c2vsearch.records import Chunk, path_of
from tests.collection.builder import ENCODER
from tests.filters.corpus import START, Corpus, build, corpus

SIGNS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
DAY = (START + datetime.timedelta(days=2)).date()
GLOBS = {
    ("docs/**",): lambda path: path.startswith("docs/"),
    ("*.md",): lambda path: path.endswith(".md") or ".md!/" in path,
    ("docs", "!docs/old/"): lambda path: path.startswith("docs/") and not path.startswith("docs/old/"),
    ("!mail/**",): lambda path: not path.startswith("mail/"),
    ("*!/**/*.MD",): lambda path: path.endswith("!/a.b/c.MD"),
    ("/mail/*.txt",): lambda path: path.startswith("mail/") and ".txt" in path,
}


@pytest.fixture(scope="module")
def wanted() -> Corpus:
    return corpus()


@pytest.fixture(scope="module")
def root(wanted: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("filters") / "index"
    build(place, wanted)
    return place


@pytest.fixture(scope="module")
def selector(root: Path) -> Selector:
    return Selector(Collection.open(root))


def ids(selector: Selector, where: Any) -> set[str]:
    rows = selector.select(where).rows
    collection = selector._collection
    names = [entry.name for entry in collection.manifest.shards]
    return {chunk.id for row, chunk in collection.iter_rows() if rows[names[row.shard]][row.row]}


def value_of(field: str, chunk: Chunk, mtime: int) -> Any:
    """The value by its definition."""
    path = path_of(chunk.source, chunk.member)
    own = {
        "path": path, "suffix": path.rpartition(".")[2].lower(), "kind": chunk.kind, "title": chunk.title,
        "page": chunk.page, "heading": chunk.heading_path,
    }  # fmt: skip
    if field == "date":
        given = [chunk.metadata.get(name) for name in ("modified", "created")]
        file = datetime.datetime.fromtimestamp(mtime, datetime.UTC)
        return next((time for time in given if isinstance(time, datetime.datetime)), file)
    return own[field] if field in own else chunk.metadata.get(field.removeprefix("meta_"))


def twin(where: Filter, chunk: Chunk, mtime: int) -> bool:
    match where:
        case And(parts):
            return all(twin(part, chunk, mtime) for part in parts)
        case Or(parts):
            return any(twin(part, chunk, mtime) for part in parts)
        case Not(part):
            return not twin(part, chunk, mtime)
        case PathGlob(patterns):
            return GLOBS[patterns](path_of(chunk.source, chunk.member))
        case Compare(field, "!=", value):
            return not twin(Compare(field, "=", value), chunk, mtime)
        case Compare(field, sign, value):
            found = value_of(field, chunk, mtime)
            items = found if isinstance(found, tuple) else () if found is None else (found,)
            return any(typed(item, "=" if sign == "contains" else sign, value) for item in items)
    raise AssertionError(where)


def typed(item: Any, sign: str, value: Any) -> bool:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        if not isinstance(item, datetime.datetime):
            return False
        return SIGNS[sign](item.date(), value)
    kinds = [bool, (int, float), datetime.datetime, str]
    kind = next(kind for kind in kinds if isinstance(value, kind))
    same = isinstance(item, kind) and isinstance(item, bool) == isinstance(value, bool)
    return same and SIGNS[sign](item, value)


def compares() -> st.SearchStrategy[Filter]:
    any_sign = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    same = st.sampled_from(["=", "!="])
    times = st.one_of(st.just(DAY), st.integers(-20, 20).map(lambda days: START + datetime.timedelta(days=days)))
    number = st.sampled_from([2023, 2024, 2024.25, 2024.5, 2025, -1])
    return st.one_of(
        st.builds(Compare, st.sampled_from(["team", "meta_kind"]), any_sign, st.sampled_from(["ops", "o'ps", "memo"])),
        st.builds(Compare, st.just("year"), any_sign, st.one_of(number, st.just("unknown"))),
        st.builds(Compare, st.sampled_from(["opened", "date", "meta_modified"]), any_sign, times),
        st.builds(Compare, st.sampled_from(["tags", "heading"]), st.sampled_from(["=", "!=", "contains"]),
                  st.sampled_from(["urgent", "draft", "apple", "Guide"])),
        st.builds(Compare, st.just("done"), same, st.booleans()),
        st.builds(Compare, st.sampled_from(["page", "a", "a.b"]), any_sign, st.integers(0, 4)),
        st.builds(Compare, st.just("suffix"), same, st.sampled_from(["md", "pdf", "txt"])),
        st.builds(Compare, st.sampled_from(["kind", "title"]), any_sign, st.sampled_from(["md", "pdf", "north"])),
        st.builds(PathGlob, st.sampled_from(sorted(GLOBS))),
    )  # fmt: skip


def filters() -> st.SearchStrategy[Filter]:
    several = lambda inner: st.lists(inner, max_size=3).map(tuple)  # noqa: E731
    return st.recursive(
        compares(),
        lambda inner: st.one_of(st.builds(And, several(inner)), st.builds(Or, several(inner)), st.builds(Not, inner)),
        max_leaves=5,
    )


@settings(max_examples=150, deadline=None)
@given(where=filters())
def test_a_filter_selects_what_its_twin_selects(selector: Selector, wanted: Corpus, where: Filter) -> None:
    expected = {chunk.id for mtime, chunks in wanted.values() for chunk in chunks if twin(where, chunk, mtime)}
    assert ids(selector, where) == expected
    selection = selector.select(where)
    assert (selection.matching, selection.chunks) == (len(expected), sum(len(chunks) for _, chunks in wanted.values()))


def test_every_kind_of_condition_tells_chunks_apart(selector: Selector) -> None:
    """Or the twin would agree about nothing."""
    for where in (
        "year >= 2024", "year = unknown", "opened < 2026-01-03", "date > 2026-01-10", "tags contains draft", "done = true",
        "page > 2", "meta_kind = memo", "kind = pdf", "suffix = md", "heading contains boat", "path matches 'docs/old/'",
    ):  # fmt: skip
        selection = selector.select(where)
        assert 0 < selection.matching < selection.chunks, where


def test_the_types_of_a_field_differ_between_shards(root: Path) -> None:
    collection = Collection.open(root)
    kinds = {collection.shard(number).fields.get("year") for number in range(len(collection.manifest.shards))}
    assert {"float", "text", "list"} <= kinds


@settings(max_examples=30, deadline=None)
@given(where=filters())
def test_answers_do_not_depend_on_which_chunks_share_a_shard(
    selector: Selector, compacted: Selector, where: Filter
) -> None:
    assert ids(compacted, where) == ids(selector, where)


@pytest.fixture(scope="module")
def compacted(wanted: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Selector:
    place = tmp_path_factory.mktemp("filters") / "compacted"
    build(place, corpus())
    compact(place)
    collection = Collection.open(place)
    assert not collection.deletes
    return Selector(collection)


@pytest.mark.parametrize(
    ("text", "twin_of"),
    [
        ({"team": "ops"}, Compare("team", "=", "ops")),
        ({"team": ["ops", "dev"], "done": True}, "team in (ops, 'dev') and done = true"),
        ({"year": {">=": 2024, "<": 2025}}, "year >= 2024 AND NOT year >= 2025"),
        ("team = 'o''ps' or \"team\" = \"ops\"", Or((Compare("team", "=", "o'ps"), Compare("team", "=", "ops")))),
        ("not (team = ops or done = true)", "team != ops and not done = true"),
        ("opened >= 2026-01-03", Compare("opened", ">=", DAY)),
        ("opened >= '2026-01-03T13:00+00:00'", Compare("opened", ">=", "2026-01-03T13:00:00")),
        ("year = 2024.5", Compare("year", "=", 2024.5)),
        ({}, And(())),
        (pc.field("meta_done"), "done = true"),
        (pc.field("page") > 2, "page > 2"),
        (pc.list_value_length(pc.field("heading_path")) > 5, Or(())),
    ],
)  # fmt: skip
def test_all_forms_say_the_same(selector: Selector, text: Any, twin_of: Any) -> None:
    assert ids(selector, text) == ids(selector, twin_of)


def test_an_expression_sees_each_column_in_the_type_that_holds_all_of_it(selector: Selector, wanted: Corpus) -> None:
    expression = (pc.field("meta_team") == "ops") & pc.is_null(pc.field("meta_done"))
    assert ids(selector, expression) == {
        chunk.id for _, chunks in wanted.values() for chunk in chunks
        if chunk.metadata.get("team") == "ops" and "done" not in chunk.metadata
    }  # fmt: skip
    with pytest.raises(InvalidQuery, match="pyarrow cannot evaluate"):
        selector.select(pc.field("meta_team") > 3)
    with pytest.raises(InvalidQuery, match="pyarrow cannot evaluate"):
        selector.select(pc.field("nowhere") > 3)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("taem = ops", r"no chunk of this index has a field 'taem'; expected one of: path, suffix, kind, .*, team, year"),
        ("meta_page = 3", "has metadata 'page'; expected one of: a, a.b, created, done, kind, .*, year"),
        ("page = x", "page is compared with 'x'; expected a number"),
        ({"page": True}, "page is compared with 'True'; expected a number"),
        ("done > true", "done is true or false; expected = or !="),
        ("page contains 3", "page is a number; expected ="),
        ("date >= spring", "date is compared with 'spring'; expected a time such as"),
        ({"page": None}, "the value None is a NoneType; expected text"),
        ({"page": {"~": 3}}, "page is compared by '~'; expected = !="),
        (7, "where is a int; expected a filter"),
        (PathGlob(("!",)), "expected patterns of paths"),
        (PathGlob((" ",)), "the pattern of paths is ' '"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(selector: Selector, where: Any, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        selector.select(where)


def test_one_and_true_are_two_questions(selector: Selector) -> None:
    assert ids(selector, {"year": 1}) == set()
    with pytest.raises(InvalidQuery):
        selector.select({"page": True})
    assert selector.select({"page": 1}).matching > 0


def test_a_selection_is_kept_and_only_columns_it_needs_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2vsearch.shards import Shard

    asked = []
    read = Shard._read
    monkeypatch.setattr(Shard, "_read", lambda shard, groups, names: asked.append(names) or read(shard, groups, names))
    selector = Selector(Collection.open(root))
    first = selector.select("team = ops")
    assert {name for names in asked for name in names} == {"meta_team"}
    asked.clear()
    assert selector.select("team  =  ops") is first
    assert not asked


def test_a_damaged_column_is_an_error_and_no_other_answer(wanted: Corpus, tmp_path: Path) -> None:
    build(tmp_path / "i", corpus())
    for shard in (tmp_path / "i" / "shards").iterdir():
        data = bytearray(shard.read_bytes())
        data[200] ^= 1
        shard.write_bytes(bytes(data))
    with pytest.raises(CorruptFile):
        Selector(Collection.open(tmp_path / "i")).select("team = ops")


@pytest.mark.parametrize("where", ["year >= 2024", "page = 2", "tags contains draft", "page = 77", "not page = 77"])
@pytest.mark.parametrize("few", [0, 10**6])
def test_both_legs_give_the_best_of_what_matches(
    selector: Selector, where: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2vsearch.collection.collection.FEW_KEYS", few)
    collection = selector._collection
    among = selector.select(where).rows
    names = [entry.name for entry in collection.manifest.shards]
    rows = [row for row, _ in collection.iter_rows()]
    counting = [row for row in rows if among[names[row.shard]][row.row]]
    query = ENCODER.encode_queries(["ferry boat"])[0]
    cosines = dict(zip(counting, (collection.vectors(counting) @ query).tolist(), strict=True)) if counting else {}
    words = "ferry boat claim"
    scores = [hit for hit in collection.search_text(words, k=len(rows)) if hit.row in set(counting)]
    for k in (0, 1, 3, 10, len(rows)):
        dense = collection.search_vectors(query, k=k, among=among)
        best = sorted(counting, key=lambda row: (-cosines[row], row))[:k]
        assert [hit.row for hit in dense] == best
        np.testing.assert_allclose([hit.score for hit in dense], [cosines[row] for row in best], atol=1e-6)
        lexical = collection.search_text(words, k=k, among=among)
        assert [hit.score for hit in lexical] == [hit.score for hit in scores[:k]]
        assert set(lexical) <= set(scores)
        assert len({hit.row for hit in lexical}) == len(lexical) == min(k, len(scores))
