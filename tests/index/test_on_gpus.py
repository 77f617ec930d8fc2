"""Searching on GPUs, by value, on a machine without one (`gpu_standins.py`): the answers are those of the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from c2vsearch.errors import OutOfDeviceMemory
from c2vsearch.index import gpu_rows, gpu_segment, on_gpus
from c2vsearch.index.approximate import ApproximateSegment
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.gpu_candidates import GpuCandidates, candidates_bytes, has_gpu_kind
from c2vsearch.index.gpu_rows import GpuRows, best_of, rows_bytes
from c2vsearch.index.gpu_segment import GpuSegment
from c2vsearch.index.measured import Setting
from c2vsearch.index.rows import RowFile, write_rows
from c2vsearch.index.vectors import VectorSegment
from c2vsearch.shards.checked import file_hashes
from tests.index.gpu_standins import Devices
from tests.index.test_batch import ROWS, asked, data, masks
from tests.index.test_candidates import DIM, clustered


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return data()


@pytest.fixture(scope="module")
def path(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.faiss"
    write_rows(path, [rows], dim=DIM, rows=ROWS)
    return path


@pytest.fixture
def flat(path: Path, monkeypatch: pytest.MonkeyPatch) -> VectorSegment:
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 40)
    return VectorSegment(path, dim=DIM, rows=ROWS)


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    """Indexes are built once: codes of a byte take seconds to train."""
    built: dict[Any, CandidateIndex] = {}
    real = CandidateIndex.build

    def build(kind: str, sample: np.ndarray, parts: list[np.ndarray], *, dim: int) -> CandidateIndex:
        key = kind, sample.tobytes()
        if key not in built:
            built[key] = real(kind, sample, parts, dim=dim)
        return built[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CandidateIndex, "build", build)
        yield


def approximate(path: Path, rows: np.ndarray, kind: str) -> ApproximateSegment:
    if kind.startswith("CAGRA"):
        graph = faiss.IndexHNSWCagra(DIM, int(kind[5:]) // 2, faiss.METRIC_INNER_PRODUCT)
        graph.add(rows.astype(np.float32))
        index = CandidateIndex(graph, kind=kind, dim=DIM)
    else:
        index = CandidateIndex.build(kind, rows.astype(np.float32), [rows], dim=DIM)
    file = RowFile(path, size_bytes=path.stat().st_size, blocks=file_hashes(path)[1], dim=DIM, rows=ROWS)
    return ApproximateSegment(
        index, file, few=Setting(index.efforts[-1] // 4, 20), many=Setting(index.efforts[-1] // 2, 200)
    )


class Refused:
    """A segment of the CPU that is not to be asked."""

    def __init__(self, cpu: VectorSegment) -> None:
        self.rows, self.parts, self._rows = cpu.rows, cpu.parts, len(cpu)

    def __len__(self) -> int:
        return self._rows

    def search_batch(self, queries: np.ndarray, **_: Any) -> list[Any]:
        raise AssertionError("asked")


@pytest.mark.parametrize("count", [1, 3])
def test_all_rows_on_gpus_answer_as_the_flat_segment(
    monkeypatch: pytest.MonkeyPatch, flat: VectorSegment, count: int
) -> None:
    devices = Devices(monkeypatch, count=count)
    monkeypatch.setattr(gpu_rows, "PIECE_BYTES", 2 * DIM * 1100)
    moved = on_gpus.on_gpus(flat, range(count), dim=DIM, strict=True)
    assert isinstance(moved, GpuSegment)
    assert len(devices.flat) == 9  # 9,000 rows in pieces of 1,100, or thrice 3,000
    assert {index.device for index in devices.flat} == set(range(count))
    for live in masks():
        for k in (0, 1, 10, 250, 3000):
            assert moved.search_batch(asked(), k=k, live=live) == flat.search_batch(asked(), k=k, live=live)
    assert moved.search_batch(asked()[:1], k=7) == [flat.search(asked()[0], k=7)]
    np.testing.assert_array_equal(moved.rows(np.array([5, 3])), flat.rows(np.array([5, 3])))


def test_a_gpu_answers_what_it_can_and_looks_deeper_for_equal_scores(
    monkeypatch: pytest.MonkeyPatch, flat: VectorSegment
) -> None:
    Devices(monkeypatch)
    gpu = GpuRows(flat.parts(), rows=ROWS, dim=DIM, gpus=[0])
    moved = GpuSegment(Refused(flat), gpu)  # type: ignore[arg-type]
    depths: list[int] = []
    monkeypatch.setattr(
        gpu, "search", lambda queries, depth: depths.append(depth) or GpuRows.search(gpu, queries, depth)
    )
    assert moved.search_batch(asked()[:5], k=10) == flat.search_batch(asked()[:5], k=10)
    assert depths == [45]
    same = asked()[60:62]  # of which 300 rows are equal
    assert moved.search_batch(same, k=10) == flat.search_batch(same, k=10)
    assert depths == [45, 45, 2048]
    half = np.random.default_rng(0).random(ROWS) < 0.5
    assert moved.search_batch(asked()[:5], k=10, live=half) == flat.search_batch(asked()[:5], k=10, live=half)
    with pytest.raises(AssertionError, match="asked"):
        moved.search_batch(asked()[:5], k=1800)


def test_a_device_that_sees_less_than_it_should_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, flat: VectorSegment
) -> None:
    """Without the room for what float16 loses, the answer would be another."""
    Devices(monkeypatch)
    moved = GpuSegment(flat, GpuRows(flat.parts(), rows=ROWS, dim=DIM, gpus=[0]))
    wanted = np.random.default_rng(4).standard_normal((60, DIM)).astype(np.float32)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    plain = flat.search_batch(wanted, k=900)
    assert moved.search_batch(wanted, k=900) == plain
    monkeypatch.setattr(gpu_segment, "half_slack", lambda queries: np.zeros(len(queries)))
    assert moved.search_batch(wanted, k=900) != plain


GPU_KINDS = ["IVF16,Flat", "IVF16,SQ8", "IVF16,SQfp16", "IVF16,PQ8", "CAGRA32"]


@pytest.mark.parametrize("kind", GPU_KINDS)
@pytest.mark.parametrize("count", [1, 2])
def test_kinds_that_faiss_has_there_name_the_same_candidates(
    monkeypatch: pytest.MonkeyPatch, path: Path, rows: np.ndarray, kind: str, count: int
) -> None:
    devices = Devices(monkeypatch, count=count)
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 40)
    cpu = approximate(path, rows, kind)
    moved = on_gpus.on_gpus(cpu, range(count), dim=DIM, strict=True)
    assert isinstance(moved, ApproximateSegment)
    assert isinstance(moved.candidates, GpuCandidates)
    assert not devices.shared_out
    for k in (1, 10, 100):
        assert moved.search_batch(asked(), k=k) == cpu.search_batch(asked(), k=k)
    assert sum(index.asked for index in devices.copied) > 0
    assert all(index.asked for index in devices.copied)  # each had a part of the queries
    for live in masks()[1:]:
        there = int(live.sum())
        for k in (1, 10, 700):
            found = moved.search_batch(asked()[:20], k=k, live=live)
            for query, hits in zip(asked(), found, strict=False):
                places = [place for place, _ in hits]
                assert len(set(places)) == min(k, there)
                assert live[places].all()
                flat = {place: score for place, score in cpu.search(query, k=there, live=live)} if there < 5000 else {}
                assert all(flat.get(place, score) == score for place, score in hits)
    cpu.close()


@pytest.mark.parametrize("share", [0.9, 0.3, 0.02])
def test_under_a_filter_as_many_candidates_are_named(monkeypatch: pytest.MonkeyPatch, path: Path, share: float) -> None:
    Devices(monkeypatch)
    cpu = approximate(path, clustered(ROWS), "IVF16,SQ8").candidates  # no two rows are equal
    assert isinstance(cpu, CandidateIndex)
    moved = GpuCandidates(cpu, [0])
    live = np.random.default_rng(1).random(ROWS) < share
    for effort in (2, 16):
        expected = cpu.ask(asked(), depth=60, effort=effort, live=live)
        found = moved.ask(asked(), depth=60, effort=effort, live=live)
        assert [set(row) for row in found.tolist()] == [set(row) for row in expected.tolist()]
        np.testing.assert_array_equal(found, moved.search(asked(), depth=60, effort=effort, live=live))
    assert moved.ask(asked()[:0], depth=60, effort=1, live=live).shape == (0, 60)


def test_lists_that_fit_no_device_whole_are_shared_out(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    cpu = approximate(path, clustered(ROWS), "IVF16,SQ8")
    devices = Devices(monkeypatch, count=2, room=ROWS * (DIM + 8) * 3 // 4 + 4 * DIM * 16)
    moved = on_gpus.on_gpus(cpu, [0, 1], dim=DIM, strict=True)
    assert devices.shared_out
    for k in (1, 10, 100):
        assert moved.search_batch(asked()[:60], k=k) == cpu.search_batch(asked()[:60], k=k)
    cpu.close()


@pytest.mark.parametrize(
    "kind", ["IVF16,PQ8x4fs", "IVF16,RaBitQ", "HNSW16,SQ8", "BFlat", "IVF16_HNSW32,SQ8", "PCA16,IVF16,SQ8"]
)
def test_what_faiss_has_not_there_is_searched_exactly_there(
    monkeypatch: pytest.MonkeyPatch, path: Path, rows: np.ndarray, flat: VectorSegment, kind: str
) -> None:
    Devices(monkeypatch)
    cpu = approximate(path, rows, kind)
    moved = on_gpus.on_gpus(cpu, [0], dim=DIM, strict=True)
    assert isinstance(moved, GpuSegment)
    assert moved.search_batch(asked(), k=10) == flat.search_batch(asked(), k=10)
    cpu.close()


def test_what_does_not_fit_is_refused_or_left_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, path: Path, rows: np.ndarray, flat: VectorSegment
) -> None:
    cpu = approximate(path, rows, "IVF16,SQ8")
    devices = Devices(monkeypatch, room=1000)
    for segment in (flat, cpu):
        with pytest.raises(OutOfDeviceMemory, match=r"9,000 rows cannot be searched on GPU 0: about 1.6 GB are needed"):
            on_gpus.on_gpus(segment, [0], dim=DIM, strict=True)
        with pytest.warns(RuntimeWarning, match="the CPU searches them"):
            assert on_gpus.on_gpus(segment, [0], dim=DIM, strict=False) is segment
    assert devices.copied == devices.flat == []
    monkeypatch.setattr(on_gpus, "fits", lambda gpus, needed: "")  # nobody can say what is free
    with pytest.raises(OutOfDeviceMemory, match="cudaMalloc error 2; use a larger GPU or several"):
        on_gpus.on_gpus(cpu, [0], dim=DIM, strict=True)
    cpu.close()


def test_a_device_that_fails_while_it_searches_is_told(monkeypatch: pytest.MonkeyPatch, flat: VectorSegment) -> None:
    devices = Devices(monkeypatch)
    moved = on_gpus.on_gpus(flat, [0], dim=DIM, strict=True)

    def fail(*_: Any) -> Any:
        raise RuntimeError("Error in search\nCUDA error 2 out of memory")

    monkeypatch.setattr(devices.flat[0], "search", fail)
    with pytest.raises(OutOfDeviceMemory, match="failed while it searched .CUDA error 2 out of memory"):
        moved.search_batch(asked()[:3], k=5)


def test_estimates_tell_what_is_copied(monkeypatch: pytest.MonkeyPatch, path: Path, rows: np.ndarray) -> None:
    devices = Devices(monkeypatch, count=2)
    from c2vsearch.index.gpu import WORK_BYTES

    for kind in GPU_KINDS:
        cpu = approximate(path, rows, kind).candidates
        assert isinstance(cpu, CandidateIndex)
        assert has_gpu_kind(cpu)
        before = devices.free[0]
        GpuCandidates(cpu, [0])
        taken, told = before - devices.free[0], candidates_bytes(cpu, dim=DIM, shares=1) - WORK_BYTES
        assert taken <= told <= 4 * taken
    before = devices.free[0]
    GpuRows([rows], rows=ROWS, dim=DIM, gpus=[0])
    assert before - devices.free[0] <= rows_bytes(ROWS, DIM, 1) - WORK_BYTES <= 1.1 * (before - devices.free[0])
    assert rows_bytes(ROWS, DIM, 3) < rows_bytes(ROWS, DIM, 2) < rows_bytes(ROWS, DIM, 1)


def test_the_best_of_several_are_the_best() -> None:
    one = np.array([[0.9, 0.5]], dtype=np.float32), np.array([[4, 2]])
    two = np.array([[0.7, 99.0]], dtype=np.float32), np.array([[8, -1]])
    scores, positions = best_of([one, two], 3)
    assert positions.tolist() == [[4, 8, 2]]
    np.testing.assert_allclose(scores, [[0.9, 0.7, 0.5]])
