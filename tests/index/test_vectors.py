"""The FAISS segment against exact search, by value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2vsearch.errors import CorruptFile, MissingDependency
from c2vsearch.index.exact import exact_search
from c2vsearch.index.vectors import VectorSegment, build_segment


def rows(count: int, dim: int, *, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


@pytest.mark.parametrize("deleted", [(), (0, 3, 299), tuple(range(290))])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_equals_exact_search(tmp_path: Path, deleted: tuple[int, ...], k: int) -> None:
    blocks = [rows(100, 24, seed=1), rows(200, 24, seed=2)]
    build_segment(tmp_path / "a.faiss", blocks, dim=24)
    segment = VectorSegment(tmp_path / "a.faiss", dim=24, rows=300)
    for query in rows(5, 24, seed=3).astype(np.float32):
        found = segment.search(query, k=k, deleted=np.array(deleted, dtype=np.int64))
        expected = exact_search(query, blocks, k=k, deleted=frozenset(deleted))
        assert len(found) == len(expected) == min(k, 300 - len(deleted))
        np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-5)
        assert not {position for position, _ in found} & set(deleted)


def test_equal_scores_come_in_order(tmp_path: Path) -> None:
    same = np.repeat(rows(1, 8, seed=1), 6, axis=0)
    build_segment(tmp_path / "a.faiss", [same], dim=8)
    found = VectorSegment(tmp_path / "a.faiss", dim=8, rows=6).search(same[0].astype(np.float32), k=6)
    assert [position for position, _ in found] == list(range(6))
    assert all(score == pytest.approx(1.0, abs=1e-3) and score <= 1.0 for _, score in found)


def test_another_file_than_the_manifest_names(tmp_path: Path) -> None:
    build_segment(tmp_path / "a.faiss", [rows(5, 8, seed=1)], dim=8)
    for dim, count in ((8, 6), (9, 5)):
        with pytest.raises(CorruptFile, match="expected"):
            VectorSegment(tmp_path / "a.faiss", dim=dim, rows=count)
    (tmp_path / "b.faiss").write_bytes(b"nonsense")
    with pytest.raises(CorruptFile, match="cannot be read by FAISS"):
        VectorSegment(tmp_path / "b.faiss", dim=8, rows=5)


def test_without_faiss_the_pip_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match=r"c2vsearch\[cpu\]"):
        build_segment(tmp_path / "a.faiss", [], dim=8)
