from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2vsearch.config import IndexSpec
from c2vsearch.errors import InvalidConfig
from c2vsearch.index import choice
from c2vsearch.index.calibration import AT, MANY, Queries, depths, nearest, recall_of, tune
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.choice import choose, is_exact, kinds, row_bytes
from tests.index.test_candidates import DIM, ROWS, clustered, queries, row_file


@pytest.fixture
def asked() -> Queries:
    own = np.arange(0, ROWS, 100)
    rows = clustered(ROWS)[own].astype(np.float32)
    return Queries(
        np.concatenate([queries(60), rows]), ("text",) * 60 + ("row",) * 60, np.concatenate([np.full(60, -1), own])
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on the few rows there are."""
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 1)


def test_the_truth_is_brute_force_without_the_row_itself(asked: Queries) -> None:
    rows = clustered(ROWS)
    scores = asked.vectors @ rows.astype(np.float32).T
    scores[np.flatnonzero(asked.own >= 0), asked.own[asked.own >= 0]] = -np.inf
    found = nearest(asked, [rows[:7], rows[7:3000], rows[3000:]], k=25)
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), -np.sort(-scores, axis=1)[:, :25], atol=1e-6)
    assert not (found == asked.own[:, None]).any()


def test_fewer_rows_than_asked_for_leave_places_empty() -> None:
    two = Queries(queries(2), ("text", "row"), np.array([-1, 1]))
    found = nearest(two, [clustered(3)], k=5)
    assert (found >= 0).sum(axis=1).tolist() == [3, 2]
    assert 1 not in found[1]


def test_the_recall_that_is_told_is_that_of_a_slow_count(asked: Queries, tmp_path: Path) -> None:
    rows = clustered(ROWS)
    index = CandidateIndex.build("IVF16,PQ8x4fs", rows.astype(np.float32), [rows], dim=DIM)
    truth = nearest(asked, [rows], k=MANY)[:, :AT]
    measured, meets = tune(index, row_file(tmp_path, rows), asked, truth, target=0.9)
    shares = []
    for number in range(1, len(asked), 2):  # the half that chose no setting
        setting = measured.setting
        [found] = index.search(asked.vectors[number][None], depth=setting.depth + 1, effort=setting.effort)
        first = [place for place in found.tolist() if place != asked.own[number]][: setting.depth]
        shares.append(len(set(first) & set(truth[number].tolist())) / AT)
    assert meets
    assert measured.recall.mean == pytest.approx(np.mean(shares), abs=1e-4)
    assert measured.recall.by_sort["text"] == pytest.approx(np.mean(shares[:30]), abs=1e-4)
    assert min(measured.recall.by_sort.values()) >= 0.9
    assert 0.9 < measured.recall.low < measured.recall.mean <= measured.recall.high <= 1.0
    assert (measured.recall.queries, measured.recall.at) == (60, AT)
    assert measured.setting.depth in depths(AT)


def test_what_cannot_be_reached_is_said_and_the_best_is_kept(asked: Queries, tmp_path: Path) -> None:
    rows = clustered(ROWS)
    index = CandidateIndex.build("BFlat", rows.astype(np.float32), [rows], dim=DIM)
    truth = nearest(asked, [rows], k=AT)
    measured, meets = tune(index, row_file(tmp_path, rows), asked, truth, target=1.0)
    assert not meets
    assert measured.setting.depth == depths(AT)[-1]


def test_the_interval_is_that_of_the_mean() -> None:
    chance = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        found = recall_of((chance.random((100, 10)) < 0.9).mean(axis=1), ["text"] * 100, at=10)
        covered += found.low <= 0.9 <= found.high
    assert 0.92 < covered / 400 < 0.98


def test_the_smallest_kind_that_does_it_is_chosen(asked: Queries, tmp_path: Path) -> None:
    rows = row_file(tmp_path, clustered(ROWS))
    easy = choose(IndexSpec(target_recall=0.5, max_latency_ms=1000), rows, asked, dim=DIM)
    assert (easy.index.kind, easy.meets) == (kinds(ROWS, DIM)[0], True)
    hard = choose(IndexSpec(target_recall=0.999, max_latency_ms=1000), rows, asked, dim=DIM)
    assert hard.meets
    assert min(hard.few.recall.by_sort.values()) >= 0.999


def test_memory_bounds_what_is_tried(asked: Queries, tmp_path: Path) -> None:
    rows = row_file(tmp_path, clustered(ROWS))
    limit = int(row_bytes("IVF16,SQ8", DIM) * ROWS)
    found = choose(IndexSpec(target_recall=1e-9, max_memory_bytes=limit, max_latency_ms=1e-6), rows, asked, dim=DIM)
    assert not found.meets  # nothing is that quick
    assert row_bytes(found.index.kind, DIM) * ROWS <= limit
    nothing = choose(IndexSpec(target_recall=0.1, max_memory_bytes=1), rows, asked, dim=DIM)
    assert (nothing.index.kind, nothing.meets) == (kinds(ROWS, DIM)[0], False)


def test_a_kind_that_is_asked_for_is_taken(asked: Queries, tmp_path: Path) -> None:
    rows = row_file(tmp_path, clustered(ROWS))
    found = choose(IndexSpec(factory="IVF8,SQ8", target_recall=0.8), rows, asked, dim=DIM)
    assert (found.index.kind, found.meets) == ("IVF8,SQ8", True)
    with pytest.raises(InvalidConfig, match="no index of kind"):
        choose(IndexSpec(factory="IVF8,PQ7"), rows, asked, dim=DIM)


def test_what_a_kind_is_said_to_take_it_takes(tmp_path: Path) -> None:
    rows = clustered(ROWS)
    for kind in kinds(ROWS, DIM):
        CandidateIndex.build(kind, rows.astype(np.float32), [rows], dim=DIM).save(tmp_path / "a.faiss")
        centres = 4 * DIM * 512  # of the lists; the more rows there are the less they are of the whole
        assert row_bytes(kind, DIM) * ROWS == pytest.approx((tmp_path / "a.faiss").stat().st_size - centres, rel=0.5)


@pytest.mark.parametrize(
    ("spec", "rows", "exact"),
    [
        (IndexSpec(), 100_000, True),
        (IndexSpec(), 200_000, False),
        (IndexSpec(max_latency_ms=100), 1_000_000, True),
        (IndexSpec(max_latency_ms=1), 100_000, False),
        (IndexSpec(max_memory_bytes=10_000_000), 100_000, False),
        (IndexSpec(target_recall=1.0), 10_000_000, True),
        (IndexSpec(factory="Flat"), 10_000_000, True),
        (IndexSpec(factory="IVF1024,SQ8"), 1024 * 39 - 1, True),
        (IndexSpec(factory="IVF1024,SQ8"), 1024 * 39, False),
        (IndexSpec(max_latency_ms=0.001), 5_000, True),
    ],
)
def test_exact_search_is_kept_while_it_is_fast_and_fits(
    monkeypatch: pytest.MonkeyPatch, spec: IndexSpec, rows: int, exact: bool
) -> None:
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 39)
    assert is_exact(spec, rows=rows, dim=768) is exact
    assert choice.DEFAULT_LATENCY_MS == 10.0
