"""Many queries at once are answered as one by one, to the last digit, and both as brute force says."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.cosines import cosines, half_slack, nearest_of, slack
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.index.scan import passes, scan
from c2vsearch.index.vectors import MANY_QUERIES, VectorSegment
from c2vsearch.shards.checked import file_hashes
from tests.index.test_candidates import DIM, clustered, queries

ROWS = 9000
COUNTS = (1, 2, 24, 70)


def data() -> np.ndarray:
    """Rows of which many are equal, some nearly, and one is the negative of another."""
    rows = clustered(ROWS)
    rows[100:400] = rows[7]
    rows[400:500] = (rows[7].astype(np.float32) + 1e-3 * clustered(100, seed=3).astype(np.float32)).astype(np.float16)
    rows[8999] = -rows[7]
    return rows


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return data()


@pytest.fixture(scope="module")
def path(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.faiss"
    write_rows(path, [rows], dim=DIM, rows=ROWS)
    return path


def asked() -> np.ndarray:
    """Queries, with some that are rows themselves: those are as near as can be."""
    return np.concatenate([queries(60), data()[[7, 100, 450, 8999, 0, 1, 2, 3, 4, 5]].astype(np.float32)])


def brute(rows: np.ndarray, query: np.ndarray, k: int, live: np.ndarray | None) -> list[tuple[int, float]]:
    """Every row on its own, in Python's order."""
    places = np.arange(len(rows)) if live is None else np.flatnonzero(live)
    scored = [(float(cosines(rows[place][None].astype(np.float32), query)[0]), int(place)) for place in places]
    return [(place, score) for score, place in sorted(scored, key=lambda one: (-one[0], one[1]))[: max(k, 0)]]


def masks() -> list[np.ndarray | None]:
    chance = np.random.default_rng(8)
    some = [chance.random(ROWS) < share for share in (0.97, 0.5, 0.02, 0.0)]
    few = np.zeros(ROWS, dtype=np.bool_)
    few[[3, 7, 200, 8999]] = True
    return [None, *some, few]


@pytest.mark.parametrize("many", [24, MANY_QUERIES])
@pytest.mark.parametrize("k", [0, 1, 10, 250, 20_000])
def test_a_flat_segment_answers_a_batch_as_single_queries(
    path: Path, monkeypatch: pytest.MonkeyPatch, k: int, many: int
) -> None:
    monkeypatch.setattr("c2vsearch.index.vectors.MANY_QUERIES", many)
    monkeypatch.setattr("c2vsearch.index.vectors.BLOCK_ROWS", 2000)
    segment = VectorSegment(path, dim=DIM, rows=ROWS)
    for live in masks():
        single = [segment.search(query, k=k, live=live) for query in asked()]
        for count in COUNTS if k < 1000 else (2,):
            assert segment.search_batch(asked()[:count], k=k, live=live) == single[:count]


@pytest.mark.parametrize("live", [None, np.random.default_rng(8).random(ROWS) < 0.3], ids=["all", "some"])
def test_a_flat_segment_gives_what_brute_force_gives_with_equal_scores_in_order(
    path: Path, rows: np.ndarray, live: np.ndarray | None
) -> None:
    segment = VectorSegment(path, dim=DIM, rows=ROWS)
    wanted = asked()[[0, 1, 60, 62, 63]]
    for k in (1, 5, 120):
        expected = [brute(rows, query, k, live) for query in wanted]
        assert [segment.search(query, k=k, live=live) for query in wanted] == expected
        assert segment.search_batch(np.tile(wanted, (30, 1)), k=k, live=live) == 30 * expected


def test_no_query_and_no_row_are_no_answer(path: Path, tmp_path: Path) -> None:
    segment = VectorSegment(path, dim=DIM, rows=ROWS)
    assert segment.search_batch(np.empty((0, DIM), dtype=np.float32), k=5) == []
    write_rows(tmp_path / "empty.faiss", [], dim=DIM, rows=0)
    empty = VectorSegment(tmp_path / "empty.faiss", dim=DIM, rows=0)
    assert empty.search_batch(asked()[:2], k=5) == [[], []]
    assert empty.rows(np.empty(0, dtype=np.int64)).shape == (0, DIM)
    assert list(empty.parts()) == []


@pytest.mark.parametrize("kind", ["IVF16,SQ8", "IVF16,PQ8x4fs", "IVF16,RaBitQ", "HNSW16,SQ8", "BFlat"])
@pytest.mark.parametrize("compare_all", [40, 5000])
def test_an_approximate_segment_answers_a_batch_as_single_queries(
    path: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch, kind: str, compare_all: int
) -> None:
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", compare_all)
    index = CandidateIndex.build(kind, rows.astype(np.float32), [rows], dim=DIM)
    file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=DIM, rows=ROWS)
    segment = ApproximateSegment(index, file, few=Setting(index.efforts[0], 20), many=Setting(index.efforts[-1], 200))
    flat = VectorSegment(path, dim=DIM, rows=ROWS)
    for live in masks():
        for k in (1, 10, 130):
            single = [segment.search(query, k=k, live=live) for query in asked()]
            for count in (1, 9, 70):
                assert segment.search_batch(asked()[:count], k=k, live=live) == single[:count]
            there = ROWS if live is None else int(live.sum())
            assert {len(hits) for hits in single} == {min(k, there)}
            if there <= compare_all:
                assert single == flat.search_batch(asked(), k=k, live=live)
    file.close()


def test_threads_change_nothing(path: Path, rows: np.ndarray) -> None:
    index = CandidateIndex.build("IVF16,SQ8", rows.astype(np.float32), [rows], dim=DIM)
    usual = faiss.omp_get_max_threads()
    try:
        found = []
        for count in (1, 3):
            faiss.omp_set_num_threads(count)
            found.append(index.ask(asked(), depth=50, effort=4, live=None))
            assert faiss.omp_get_max_threads() == count
    finally:
        faiss.omp_set_num_threads(usual)
    np.testing.assert_array_equal(found[0], found[1])
    alone = [index.search(query[None], depth=50, effort=4)[0] for query in asked()]
    np.testing.assert_array_equal(found[0], np.stack(alone))


def test_a_cosine_does_not_depend_on_what_stands_beside_it() -> None:
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((203, 771)).astype(np.float32)
    query = chance.standard_normal(771).astype(np.float32) / 40
    whole = cosines(rows / 40, query)
    for start, end in ((0, 1), (5, 8), (17, 201), (202, 203)):
        np.testing.assert_array_equal(cosines((rows / 40)[start:end], query), whole[start:end])
        np.testing.assert_array_equal(cosines((rows / 40)[start:end].copy(), query), whole[start:end])


def test_a_scan_keeps_every_row_that_may_be_near() -> None:
    """Blocks of every size, more rows wanted than a block has, and rows that are all equal."""
    rows = clustered(3000).astype(np.float32)
    rows[500:900] = rows[0]
    for size, k in ((7, 3), (256, 10), (256, 700), (3000, 2999)):
        blocks = [
            (np.arange(start, min(start + size, 3000)), rows[start : start + size]) for start in range(0, 3000, size)
        ]
        for query, near in zip(asked(), scan(asked(), blocks, k=k), strict=True):
            assert len(set(near.tolist())) == len(near)
            found = nearest_of(near, query, k=k, take=rows.__getitem__)
            assert found == nearest_of(np.arange(3000), query, k=k, take=rows.__getitem__)
    assert max(len(near) for near in scan(asked()[:60], [(np.arange(3000), rows)], k=10)) < 1000


def test_the_slack_is_more_than_rounding_ever_was() -> None:
    rows, wanted = clustered(ROWS).astype(np.float32), asked()
    settled = np.stack([cosines(rows, query) for query in wanted])
    assert np.abs((wanted @ rows.T).clip(-1, 1) - settled).max() < slack(wanted).min() / 2
    halves = wanted.astype(np.float16).astype(np.float32) @ rows.T
    assert (np.abs(halves.clip(-1, 1) - settled).max(axis=1) < half_slack(wanted) / 2).all()
    assert half_slack(wanted).max() < 2e-3


def test_passes_bound_what_is_kept() -> None:
    asked = np.zeros((3000, 2), dtype=np.float32)
    assert [len(part) for part in passes(asked, 10)] == [1024, 1024, 952]
    assert {len(part) for part in passes(asked, 10**6)} == {2}
    assert {len(part) for part in passes(asked, 10**9)} == {1}
