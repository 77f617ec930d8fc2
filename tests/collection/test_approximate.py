"""An index that is searched approximately is the same database: what counts is given, what does not is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2vsearch.collection import Collection
from c2vsearch.collection.maintenance import compact, repair, restore
from c2vsearch.collection.manifest import searched
from c2vsearch.collection.questions import OF_A_SORT
from c2vsearch.config import IndexingConfig, IndexSpec
from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.index.exact import exact_search
from tests.collection.builder import ENCODER, Model, chunks_of, put, writer

SPEC = IndexSpec(factory="IVF8,SQ8", target_recall=0.9)
FILES = 24
OF_A_FILE = 25


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Approximate from 300 rows on, and never compare all rows because they are few."""
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 1)
    monkeypatch.setattr("c2vsearch.index.choice.EXACT_BYTES_PER_MS", 300 * 2 * 16 / 10)
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 10)


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return ENCODER.encode_queries(list(texts))


def model(files: int = FILES) -> Model:
    return {f"f{number}.md": chunks_of(f"f{number}.md", OF_A_FILE, seed=1) for number in range(files)}


def build(
    root: Path,
    wanted: Model,
    *,
    spec: IndexSpec | None = SPEC,
    ask: bool = True,
    on_build: Callable[[int], None] | None = None,
) -> int:
    indexing = IndexingConfig(rows_per_shard=50, merge_below_rows=40)
    with writer(root, spec=spec, indexing=indexing, encode=encode if ask else None) as target:
        for source in set(target.sources) - set(wanted):
            target.remove_source(source)
        for source in sorted(set(wanted) - set(target.sources)):
            put(target, wanted[source])
        return target.commit(on_build=on_build)


def kinds(root: Path) -> list[str]:
    return [
        entry.candidates.kind if entry.candidates else entry.kind for entry in Collection.open(root).manifest.vectors
    ]


def sizes(root: Path) -> list[int]:
    return [entry.file.rows for entry in Collection.open(root).manifest.vectors]


def check(root: Path, wanted: Model, *, least: float = 0.9) -> None:
    """Everything that is found is there with its true score, and nearly everything that is near is found."""
    with Collection.open(root) as opened:
        rows = list(opened.iter_rows())
        assert {chunk.id for _, chunk in rows} == {chunk.id for chunks in wanted.values() for chunk in chunks}
        vectors = opened.vectors([row for row, _ in rows])
        shares = []
        for query in encode([f"{a} {b}" for a in ("apple", "ferry", "kettle") for b in ("boat", "lantern", "north")]):
            true = [rows[place][0] for place, _ in exact_search(query, [vectors.astype(np.float16)], k=10)]
            found = opened.search_vectors(query, k=10)
            assert len(found) == min(10, len(rows))
            scores = dict(zip([row for row, _ in rows], (vectors @ query).clip(-1.0, 1.0), strict=True))
            assert all(abs(hit.score - scores[hit.row]) < 1e-6 for hit in found)
            # Texts of few words are often equal: a neighbour as near as the true one is one.
            shares.append(np.mean([hit.score >= scores[true[-1]] - 1e-6 for hit in found]))
            assert len(opened.search_vectors(query, k=10_000)) == len(rows)
        assert np.mean(shares) >= least
        opened.verify()


def test_a_large_index_is_searched_through_candidates(tmp_path: Path) -> None:
    build(tmp_path / "i", model())
    check(tmp_path / "i", model())
    manifest = Collection.open(tmp_path / "i").manifest
    [segment] = manifest.vectors
    assert segment.candidates is not None
    assert segment.candidates.kind == "IVF8,SQ8"
    assert segment.candidates.meets
    assert segment.candidates.few.recall.mean >= 0.9
    assert set(segment.candidates.few.recall.by_sort) == {"heading", "sentence", "words", "row"}
    assert manifest.questions is not None
    assert manifest.index == SPEC
    [line] = searched(manifest)
    assert line.startswith("600 rows by IVF8,SQ8: recall@10 ")


def test_a_build_is_told_before_it_is_begun(tmp_path: Path) -> None:
    told: list[int] = []
    build(tmp_path / "i", model(), on_build=told.append)
    build(tmp_path / "i", model() | {"new.md": chunks_of("new.md", 3, seed=4)}, on_build=told.append)
    assert told == [FILES * OF_A_FILE]


def test_the_kind_is_chosen_by_measure_when_none_is_named(tmp_path: Path) -> None:
    spec = IndexSpec(target_recall=0.9)
    build(tmp_path / "i", model(), spec=spec)
    check(tmp_path / "i", model(), least=0.85)
    [kind] = kinds(tmp_path / "i")
    assert kind.startswith(("IVF", "HNSW"))


def test_a_small_index_stays_exact_and_says_so(tmp_path: Path) -> None:
    build(tmp_path / "i", model(4))
    manifest = Collection.open(tmp_path / "i").manifest
    assert (kinds(tmp_path / "i"), manifest.questions) == (["flat-fp16"], None)
    assert searched(manifest) == ("100 rows exactly",)


def test_what_is_new_is_searched_exactly_until_it_is_much(tmp_path: Path) -> None:
    grown = model(64)
    names = list(grown)
    some = {name: grown[name] for name in names[:FILES]}
    build(tmp_path / "i", some)
    for more, exactly in ((26, 50), (34, 250), (37, 0)):
        some = {name: grown[name] for name in names[:more]}
        build(tmp_path / "i", some, spec=None)
        vectors = Collection.open(tmp_path / "i").manifest.vectors
        assert sum(entry.file.rows for entry in vectors if not entry.candidates) == exactly
        check(tmp_path / "i", some)
    build(tmp_path / "i", grown, spec=None)
    assert sizes(tmp_path / "i") == [64 * OF_A_FILE]


def test_small_segments_are_merged_as_digits_carry(tmp_path: Path) -> None:
    grown = model(90)
    names = list(grown)
    for files, expected in ((60, [1500]), (73, [1500, 325]), (86, [1500, 650])):
        build(tmp_path / "i", {name: grown[name] for name in names[:files]})
        assert sizes(tmp_path / "i") == expected
    check(tmp_path / "i", {name: grown[name] for name in names[:86]})


def test_deletes_hold_at_once_and_no_row_comes_back(tmp_path: Path) -> None:
    wanted = model()
    build(tmp_path / "i", wanted)
    before = kinds(tmp_path / "i")
    for name in list(wanted)[::5]:
        wanted.pop(name)
        build(tmp_path / "i", wanted)
        check(tmp_path / "i", wanted)
    assert kinds(tmp_path / "i")[:1] == before
    compact(tmp_path / "i")
    check(tmp_path / "i", wanted)
    assert Collection.open(tmp_path / "i").manifest.deletes is None


def test_only_rows_among_those_allowed_are_given_and_as_many_as_there_are(tmp_path: Path) -> None:
    wanted = model()
    build(tmp_path / "i", wanted)
    wanted.pop("f3.md")
    wanted["new.md"] = chunks_of("new.md", 30, seed=9)
    build(tmp_path / "i", wanted)
    assert len(kinds(tmp_path / "i")) == 2
    opened = Collection.open(tmp_path / "i")
    rows = {row: chunk for row, chunk in opened.iter_rows()}
    for share in (0.0, 0.02, 0.3, 1.0):
        chance = np.random.default_rng(3)
        among = {entry.name: chance.random(entry.rows) < share for entry in opened.manifest.shards}
        names = [entry.name for entry in opened.manifest.shards]
        allowed = {row for row in rows if among[names[row.shard]][row.row]}
        for query in encode(["apple boat", "north"]):
            for k in (1, 10, 50):
                found = opened.search_vectors(query, k=k, among=among)
                assert len({hit.row for hit in found}) == min(k, len(allowed))
                assert {hit.row for hit in found} <= allowed
    only = {opened.manifest.shards[0].name: np.ones(opened.manifest.shards[0].rows, dtype=np.bool_)}
    assert {hit.row.shard for hit in opened.search_vectors(encode(["apple"])[0], k=9_999, among=only)} == {0}


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    build(tmp_path / "i", model())
    opened = Collection.open(tmp_path / "i")
    name = opened.manifest.shards[0].name
    for among in ({"shards/0000000000000000.parquet": np.ones(5, dtype=np.bool_)}, {name: np.ones(3, dtype=np.bool_)}):
        with pytest.raises(InvalidConfig, match="expected shards of this version"):
            opened.search_vectors(encode(["apple"])[0], k=3, among=among)
        with pytest.raises(InvalidConfig, match="expected shards of this version"):
            opened.search_text("apple", k=3, among=among)


def test_a_device_that_faiss_cannot_use_is_told_and_the_cpu_builds(tmp_path: Path) -> None:
    indexing = IndexingConfig(rows_per_shard=50, device="cuda")
    with writer(tmp_path / "i", spec=SPEC, indexing=indexing) as target:
        for chunks in model().values():
            put(target, chunks)
        with pytest.warns(RuntimeWarning, match="built on the CPU: device is 'cuda' and FAISS sees 0 GPUs"):
            target.commit()
    check(tmp_path / "i", model())
    assert kinds(tmp_path / "i") == ["IVF8,SQ8"]


def test_another_wish_makes_another_index_of_the_same_rows(tmp_path: Path) -> None:
    build(tmp_path / "i", model())
    first = Collection.open(tmp_path / "i").manifest
    build(tmp_path / "i", model(), spec=IndexSpec(factory="HNSW8,SQ8", target_recall=0.9), ask=False)
    second = Collection.open(tmp_path / "i").manifest
    assert kinds(tmp_path / "i") == ["HNSW8,SQ8"]
    assert (second.vectors[0].file, second.questions) == (first.vectors[0].file, first.questions)
    check(tmp_path / "i", model())
    build(tmp_path / "i", model(), spec=IndexSpec(factory="Flat"))
    assert kinds(tmp_path / "i") == ["flat-fp16"]
    check(tmp_path / "i", model(), least=1.0)
    version = restore(tmp_path / "i", first.version)
    assert Collection.open(tmp_path / "i").manifest == dataclasses.replace(
        first, version=version, parent=first.version, created=Collection.open(tmp_path / "i").manifest.created
    )
    check(tmp_path / "i", model())


def test_what_else_is_stored_is_no_reason_to_build_again(tmp_path: Path) -> None:
    build(tmp_path / "i", model())
    first = Collection.open(tmp_path / "i").manifest
    build(tmp_path / "i", model(), spec=dataclasses.replace(SPEC, token_codes=False), ask=False)
    second = Collection.open(tmp_path / "i").manifest
    assert (second.version, second.index.token_codes) == (first.version + 1, False)
    assert second.vectors == first.vectors
    check(tmp_path / "i", model())


def test_without_a_model_rows_are_asked_alone(tmp_path: Path) -> None:
    build(tmp_path / "i", model(), ask=False)
    [segment] = Collection.open(tmp_path / "i").manifest.vectors
    assert segment.candidates is not None
    assert list(segment.candidates.few.recall.by_sort) == ["row"]
    assert Collection.open(tmp_path / "i").manifest.questions is None


def test_questions_stay_until_the_index_is_four_times_as_large(tmp_path: Path) -> None:
    build(tmp_path / "i", model(16))
    first = Collection.open(tmp_path / "i").manifest.questions
    assert first is not None
    assert first.rows <= 3 * OF_A_SORT
    build(tmp_path / "i", model(40))
    assert Collection.open(tmp_path / "i").manifest.questions == first
    build(tmp_path / "i", model(70))
    assert Collection.open(tmp_path / "i").manifest.questions != first


@pytest.mark.parametrize("part", ["candidates", "rows", "questions"])
def test_what_is_damaged_is_named_and_made_anew_without_a_model(tmp_path: Path, part: str) -> None:
    root = tmp_path / "i"
    build(root, model())
    manifest = Collection.open(root).manifest
    [segment] = manifest.vectors
    assert segment.candidates is not None
    assert manifest.questions is not None
    file = {"candidates": segment.candidates.file, "rows": segment.file, "questions": manifest.questions}[part]
    data = bytearray((root / file.name).read_bytes())
    data[len(data) // 2] ^= 1
    (root / file.name).write_bytes(data)
    with pytest.raises(CorruptFile, match=file.name):
        Collection.open(root).verify()
    if part != "questions":  # these no search reads
        with pytest.raises(CorruptFile, match=file.name):
            Collection.open(root).search_vectors(encode(["apple"])[0], k=10_000)
    assert repair(root) == [file.name]
    check(root, model())
    assert kinds(root) == ["IVF8,SQ8"]


def test_a_manifest_says_in_plain_numbers_what_was_measured(tmp_path: Path) -> None:
    build(tmp_path / "i", model())
    manifest = Collection.open(tmp_path / "i").manifest
    path = next((tmp_path / "i" / "versions").glob("*.json"))
    assert manifest.to_bytes() == path.read_bytes()
    [segment] = manifest.vectors
    assert segment.candidates is not None
    rows = segment.candidates.file.rows
    assert rows == segment.file.rows == sum(segment.rows)
    assert segment.candidates.many.recall.at == 100
    assert segment.candidates.spec == SPEC
