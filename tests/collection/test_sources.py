"""The table of sources against a dict of the same."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.collection import SourceState, sources
from c2vsearch.collection.sources import SourceTable, stored_name, write_sources
from c2vsearch.errors import CorruptFile
from c2vsearch.records import FileReport
from tests.collection.builder import state

NAMES = st.text(st.characters(codec=None), min_size=1, max_size=4) | st.text(
    "ab/%.\udce9\uffff", min_size=1, max_size=4
)
TEXTS = st.text(st.characters(codec=None), max_size=5)


@st.composite
def states(draw: st.DrawFn) -> SourceState:
    name = draw(NAMES)
    refused = [FileReport(name, "failed", draw(TEXTS), draw(TEXTS), member=draw(TEXTS))] * draw(st.integers(0, 2))
    return replace(
        state(name, draw(st.integers(0, 9)), mtime=draw(st.integers(-(2**63), 2**63 - 1))),
        doc_id="d", detail=draw(TEXTS), refused=tuple(refused),
    )  # fmt: skip


def written(place: Path, known: dict[str, SourceState]) -> Path:
    return write_sources(place, sorted(known.values(), key=stored_name))


def many(count: int) -> dict[str, SourceState]:
    return {f"{number:03d}.md": state(f"{number:03d}.md", number % 5, mtime=number) for number in range(count)}


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "GROUP_ROWS", 3)
    monkeypatch.setattr(sources, "OPEN_GROUPS", 2)


@settings(deadline=None)
@given(st.lists(states(), max_size=12), st.lists(NAMES))
def test_a_table_is_the_dict(
    tmp_path_factory: pytest.TempPathFactory, listed: list[SourceState], others: list[str]
) -> None:
    known = {one.source: one for one in listed}
    table = SourceTable(written(tmp_path_factory.mktemp("sources"), known))
    names = sorted(known, key=lambda name: stored_name(known[name]))
    assert list(table) == names
    assert list(table.values()) == [known[name] for name in names]
    assert table == known
    assert [table.row(name) for name in names] == list(range(len(table)))
    assert [table.state(row).source for row in range(len(table))] == names
    for name in [*reversed(names), *others]:
        assert table.get(name) == known.get(name)
        assert (name in table) == (name in known)


def test_no_table_has_no_sources() -> None:
    assert SourceTable() == {}
    assert SourceTable().row("a") is None
    assert list(SourceTable().values()) == []


def test_a_table_written_in_one_group_is_read(tmp_path: Path) -> None:
    """As versions before groups wrote it; an empty one has a group of no rows."""
    known = many(20)
    path = written(tmp_path, known)
    pq.write_table(pq.read_table(path), tmp_path / "one.parquet")
    assert SourceTable(tmp_path / "one.parquet") == known
    pq.write_table(pq.read_table(path).slice(0, 0), tmp_path / "none.parquet")
    assert SourceTable(tmp_path / "none.parquet") == {}


def test_a_table_that_was_swept_is_read_to_its_end(tmp_path: Path) -> None:
    known = many(20)
    path = written(tmp_path, known)
    table = SourceTable(path)
    path.unlink()
    assert table == known


def test_equal_states_make_equal_files(tmp_path: Path) -> None:
    assert written(tmp_path, many(7)) == written(tmp_path, many(7)) != written(tmp_path, many(8))
    assert len(list(tmp_path.iterdir())) == 2


def test_damage_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, many(20))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFile, match=path.name):
        SourceTable(path)
    path.write_bytes(whole[:4] + bytes(len(whole) // 3) + whole[4 + len(whole) // 3 :])
    with pytest.raises(CorruptFile, match=path.name):
        list(SourceTable(path).values())


def test_threads_share_a_table(tmp_path: Path) -> None:
    known = many(60)
    table = SourceTable(written(tmp_path, known))
    wrong: list[str] = []

    def look(step: int) -> None:
        names = list(known)[::step] * 5
        wrong.extend(name for name in names if table.get(name) != known[name])

    threads = [threading.Thread(target=look, args=(step,)) for step in (1, -1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
