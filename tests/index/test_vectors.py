from __future__ import annotations

import random
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest

from c2vsearch.errors import CorruptFile, MissingDependency
from c2vsearch.index.exact import exact_search
from c2vsearch.index.rows import flat_header, write_rows
from c2vsearch.index.vectors import VectorSegment

DIM = 16


def rows_of(count: int, *, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def segment(directory: Path, rows: np.ndarray, *, block: int = 64) -> VectorSegment:
    blocks = (rows[start : start + block] for start in range(0, len(rows), block))
    write_rows(directory / "a.faiss", blocks, dim=DIM, rows=len(rows))
    return VectorSegment(directory / "a.faiss", dim=DIM, rows=len(rows))


def test_every_search_is_the_exact_one(tmp_path: Path) -> None:
    rows = rows_of(500)
    index = segment(tmp_path, rows)
    chance = random.Random(0)
    for seed in range(20):
        query = rows_of(1, seed=1000 + seed)[0].astype(np.float32)
        live = np.array([chance.random() < 0.7 for _ in rows]) if seed % 2 else None
        deleted = frozenset() if live is None else frozenset(np.flatnonzero(~live).tolist())
        k = chance.choice([1, 7, 100, 499, 5000])
        expected = exact_search(query, [rows], k=k, deleted=deleted)
        found = index.search(query, k=k, live=live)
        assert [position for position, _ in found] == [position for position, _ in expected]
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=1e-6)


def test_equal_scores_come_in_order_of_position_at_every_k(tmp_path: Path) -> None:
    rows = np.repeat(rows_of(5), 40, axis=0)
    np.random.default_rng(3).shuffle(rows)
    index = segment(tmp_path, rows)
    query = rows[0].astype(np.float32)
    scores = {position: score for position, score in index.search(query, k=200)}
    order = sorted(range(200), key=lambda position: (-scores[position], position))
    for k in range(1, 201):
        assert [position for position, _ in index.search(query, k=k)] == order[:k]


def test_scores_are_cosines(tmp_path: Path) -> None:
    rows = rows_of(50)
    index = segment(tmp_path, rows)
    for position in range(50):
        row = rows[position].astype(np.float32)
        [(found, score)] = index.search(row / np.linalg.norm(row), k=1)
        assert found == position
        assert 0.99 < score <= 1.0


def test_nothing_live_and_no_k_give_nothing(tmp_path: Path) -> None:
    index = segment(tmp_path, rows_of(9))
    query = rows_of(1)[0].astype(np.float32)
    assert index.search(query, k=5, live=np.zeros(9, dtype=np.bool_)) == []
    assert index.search(query, k=0) == index.search(query, k=-3) == []


def test_a_segment_holds_the_very_float16_rows(tmp_path: Path) -> None:
    rows = rows_of(100)
    segment(tmp_path, rows)
    stored = faiss.read_index(str(tmp_path / "a.faiss")).reconstruct_n(0, 100)
    np.testing.assert_array_equal(stored, rows.astype(np.float32))


@pytest.mark.parametrize(("dim", "rows"), [(DIM + 1, 10), (DIM, 11)])
def test_another_shape_than_recorded_is_refused(tmp_path: Path, dim: int, rows: int) -> None:
    segment(tmp_path, rows_of(10))
    with pytest.raises(CorruptFile, match="holds 10 rows of 16"):
        VectorSegment(tmp_path / "a.faiss", dim=dim, rows=rows)


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.faiss").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptFile, match="cannot be read by FAISS"):
        VectorSegment(tmp_path / "a.faiss", dim=DIM, rows=1)


def test_the_file_is_the_one_faiss_writes(tmp_path: Path) -> None:
    rows = rows_of(130)
    index = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.add(rows.astype(np.float32))
    segment(tmp_path, rows)
    assert (tmp_path / "a.faiss").read_bytes() == faiss.serialize_index(index).tobytes()


def test_another_number_of_rows_than_said_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="to have 21 rows"):
        write_rows(tmp_path / "a.faiss", [rows_of(20)], dim=DIM, rows=21)


def test_without_faiss_the_message_has_the_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match=r"pip install 'c2vsearch\[cpu\]'"):
        flat_header(DIM, 1)
