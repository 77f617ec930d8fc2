from __future__ import annotations

import errno
import os
from pathlib import Path

import faiss
import numpy as np
import pytest

from c2vsearch import artifacts
from c2vsearch.errors import CorruptFile, InvalidConfig, StorageFull
from c2vsearch.index.approximate import COMPARE_ALL, ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex, empty_index, training_rows
from c2vsearch.index.exact import exact_search
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.shards.checked import file_hashes

DIM = 32
ROWS = 6000
KINDS = [
    "IVF16,SQ8", "IVF16,SQfp16", "IVF16,PQ8x4fs", "IVF16,RaBitQ", "IVF16_HNSW32,SQ8", "OPQ8,IVF16,PQ8x4fs", "IVF16,PQ8",
    "HNSW16,SQ8", "PQ8x4fs", "RaBitQ", "BFlat", "BHNSW16", "BIVF16",
]  # fmt: skip


def clustered(count: int, *, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, DIM))
    rows = centres[chance.integers(0, len(centres), count)] + 0.6 * chance.standard_normal((count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def row_file(directory: Path, rows: np.ndarray) -> RowFile:
    path = directory / "rows.faiss"
    write_rows(path, [rows[:100], rows[100:]], dim=DIM, rows=len(rows))
    return RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=DIM, rows=len(rows))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return clustered(ROWS)


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> CandidateIndex:
    """An index of each kind, written and read again."""
    path = tmp_path_factory.mktemp("kind") / "a.faiss"
    CandidateIndex.build(request.param, rows.astype(np.float32), [rows[:2500], rows[2500:]], dim=DIM).save(path)
    return CandidateIndex.load(path, kind=request.param, dim=DIM, rows=ROWS)


def queries(count: int) -> np.ndarray:
    found = clustered(count, seed=5).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_with_every_row_a_candidate_each_kind_is_exact(kept: CandidateIndex, rows: np.ndarray, tmp_path: Path) -> None:
    everything = Setting(kept.efforts[-1], ROWS)
    segment = ApproximateSegment(kept, row_file(tmp_path, rows), few=everything, many=everything)
    chance = np.random.default_rng(1)
    for number, query in enumerate(queries(6)):
        live = chance.random(ROWS) < 0.95 if number % 2 else None
        deleted = frozenset() if live is None else frozenset(np.flatnonzero(~live).tolist())
        expected = exact_search(query, [rows], k=10, deleted=deleted)
        found = segment.search(query, k=10, live=live)
        if "HNSW" in kept.kind:  # a graph may have rows that no path leads to
            assert len({place for place, _ in found} & {place for place, _ in expected}) >= 9
        else:
            assert [place for place, _ in found] == [place for place, _ in expected]
            np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5, 0.05, 0.0005, 0.0])
def test_whatever_is_left_out_there_are_k_and_none_of_it(
    kept: CandidateIndex, rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 40)
    least = Setting(kept.efforts[0], 20)
    segment = ApproximateSegment(kept, row_file(tmp_path, rows), few=least, many=least)
    live = np.random.default_rng(2).random(ROWS) < share
    for k in (1, 10, 100, 700):
        for query in queries(3):
            found = segment.search(query, k=k, live=live)
            places = [place for place, _ in found]
            assert len(set(places)) == len(places) == min(k, int(live.sum()))
            assert live[places].all()
            np.testing.assert_allclose(
                [score for _, score in found], rows[places].astype(np.float32) @ query, atol=1e-6
            )
            assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_few_rows_that_count_are_all_compared(rows: np.ndarray, tmp_path: Path) -> None:
    index = CandidateIndex.build("IVF16,SQ8", rows.astype(np.float32), [rows], dim=DIM)
    segment = ApproximateSegment(index, row_file(tmp_path, rows), few=Setting(1, 20), many=Setting(1, 200))
    live = np.zeros(ROWS, dtype=np.bool_)
    live[:: ROWS // 500] = True
    assert live.sum() < COMPARE_ALL
    for query in queries(5):
        expected = exact_search(query, [rows], k=50, deleted=frozenset(np.flatnonzero(~live).tolist()))
        assert [place for place, _ in segment.search(query, k=50, live=live)] == [place for place, _ in expected]


def test_more_effort_finds_no_less(rows: np.ndarray) -> None:
    index = CandidateIndex.build("IVF16,SQfp16", rows.astype(np.float32), [rows], dim=DIM)
    asked = queries(40)
    truth = np.argsort(-(asked @ rows.astype(np.float32).T), axis=1)[:, :10]
    shares = [
        np.mean(
            [
                np.isin(true, found).mean()
                for true, found in zip(truth, index.search(asked, depth=20, effort=effort), strict=True)
            ]
        )
        for effort in index.efforts
    ]
    assert index.efforts == (1, 2, 4, 8, 16)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("nonsense", "FAISS makes no index of kind 'nonsense'"), ("", "FAISS makes no index"), ("BIVFx", "FAISS makes no"),
        ("IVF16,PQ7", "32 dimensions"), ("IVF16,PQ8,RFlat", "expected one without"), ("IDMap,Flat", "expected one without"),
    ],
)  # fmt: skip
def test_a_kind_that_cannot_be_is_refused_by_its_name(kind: str, told: str) -> None:
    with pytest.raises(InvalidConfig, match=told):
        CandidateIndex.build(kind, clustered(300).astype(np.float32), [clustered(300)], dim=DIM)


def test_too_few_rows_to_train_on_are_refused() -> None:
    assert training_rows("IVF512,SQ8", DIM) == 512 * 39
    with pytest.raises(InvalidConfig, match="cannot be built"):
        CandidateIndex.build("IVF512,SQ8", clustered(100).astype(np.float32), [clustered(100)], dim=DIM)


@pytest.mark.parametrize(("dim", "count"), [(DIM * 2, ROWS), (DIM, ROWS + 1)])
def test_another_index_than_said_is_refused(rows: np.ndarray, tmp_path: Path, dim: int, count: int) -> None:
    CandidateIndex.build("IVF16,SQ8", rows.astype(np.float32), [rows], dim=DIM).save(tmp_path / "a.faiss")
    with pytest.raises(CorruptFile, match="holds 6000 rows of 32"):
        CandidateIndex.load(tmp_path / "a.faiss", kind="IVF16,SQ8", dim=dim, rows=count)
    (tmp_path / "a.faiss").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptFile, match="cannot be read by FAISS"):
        CandidateIndex.load(tmp_path / "a.faiss", kind="IVF16,SQ8", dim=DIM, rows=ROWS)


def test_a_mapped_file_answers_as_a_loaded_one(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CandidateIndex.build("IVF16,SQ8", rows.astype(np.float32), [rows], dim=DIM).save(tmp_path / "a.faiss")
    loaded = CandidateIndex.load(tmp_path / "a.faiss", kind="IVF16,SQ8", dim=DIM, rows=ROWS)
    monkeypatch.setattr("c2vsearch.index.candidates.MAP_ABOVE_BYTES", 0)
    mapped = CandidateIndex.load(tmp_path / "a.faiss", kind="IVF16,SQ8", dim=DIM, rows=ROWS)
    assert type(faiss.downcast_InvertedLists(mapped._inner.invlists)).__name__ == "OnDiskInvertedLists"
    asked = queries(9)
    np.testing.assert_array_equal(mapped.search(asked, depth=50, effort=4), loaded.search(asked, depth=50, effort=4))


@pytest.mark.parametrize("kind", ["IVF16,SQ8", "BFlat"])
def test_a_full_disk_is_told_as_one_and_leaves_no_half_index(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """FAISS gives errors of its own for everything; what Python's file says comes through."""
    index = CandidateIndex.build(kind, rows.astype(np.float32), [rows], dim=DIM)

    def full(data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = faiss.PyCallbackIOWriter
    monkeypatch.setattr(faiss, "PyCallbackIOWriter", lambda write: real(full))
    with pytest.raises(StorageFull):
        artifacts.write_named_by_content(tmp_path, index.save, suffix=".faiss")
    assert not list(tmp_path.iterdir())


def test_a_flipped_bit_of_a_row_is_found_when_that_row_is_read(rows: np.ndarray, tmp_path: Path) -> None:
    opened = row_file(tmp_path, rows)
    opened.close()
    path = tmp_path / "rows.faiss"
    size, blocks = path.stat().st_size, file_hashes(path)[1]
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    path.write_bytes(data)
    damaged = RowFile(path, size_bytes=size, blocks=blocks, dim=DIM, rows=ROWS)
    np.testing.assert_array_equal(damaged.take(np.arange(9)), rows[:9].astype(np.float32))
    with pytest.raises(CorruptFile, match=r"rows\.faiss is damaged near byte 262144"):
        damaged.take(np.array([3, ROWS - 1]))
    with pytest.raises(CorruptFile, match="damaged near"):
        list(damaged.parts())
    path.write_bytes(data[:-1])
    with pytest.raises(CorruptFile, match="expected"):
        RowFile(path, size_bytes=size, blocks=blocks, dim=DIM, rows=ROWS)


def test_a_kind_is_known_before_it_is_built() -> None:
    assert empty_index("IVF16,SQ8", DIM).d == DIM
    assert empty_index("BFlat", DIM).d == DIM
