"""The wiring of GPU builds, by value, on a machine without one: FAISS's GPU functions are stood in for by the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.index import gpu
from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.choice import build
from c2vsearch.index.gpu import fits, graph_bytes, problem_of, training_bytes, usable_gpus
from tests.index.test_calibration import asked, small  # noqa: F401  (fixtures)
from tests.index.test_candidates import DIM, ROWS, clustered, queries, row_file


class Cards:
    """So many GPUs, of which a broken one raises. Remembers what is put on them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int = 1, broken: int = -1) -> None:
        self.moved: list[int] = []
        self._broken = broken
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: count)
        monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
        monkeypatch.setattr(faiss, "index_cpu_to_gpu", self._one, raising=False)
        monkeypatch.setattr(faiss, "index_cpu_to_gpu_multiple_py", self._several, raising=False)

    def _one(self, resources: object, number: int, index: Any) -> Any:
        self.moved.append(number)
        if number == self._broken:
            raise RuntimeError("Error in forAllDevices\nCUDA error 209 no kernel image is available")
        return index

    def _several(self, resources: list[object], index: Any, *, gpus: list[int]) -> Any:
        assert len(resources) == len(gpus)
        self.moved += gpus
        return index


def test_a_device_is_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_gpus("cpu") == usable_gpus("auto") == ()
    with pytest.raises(
        InvalidConfig, match=r"FAISS sees 0 GPUs; expected one it sees \(pip install 'c2vsearch\[gpu\]'\)"
    ):
        usable_gpus("cuda")
    Cards(monkeypatch, count=3, broken=1)
    assert usable_gpus("auto") == (0, 2)
    assert (usable_gpus("cuda:2"), usable_gpus("cuda:0,2")) == ((2,), (0, 2))
    with pytest.raises(InvalidConfig, match="GPU 1 cannot be used: CUDA error 209 no kernel image"):
        usable_gpus("cuda")
    with pytest.raises(InvalidConfig, match="FAISS sees 3 GPUs"):
        usable_gpus("cuda:3")
    with pytest.raises(InvalidConfig, match="expected auto, cpu, cuda"):
        usable_gpus("gpu0")


def test_one_that_answers_wrongly_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    Cards(monkeypatch)
    assert problem_of(0) == ""
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", lambda *_: Wrong(), raising=False)
    assert problem_of(0) == "it finds other rows than there are"


class Wrong:
    def add(self, rows: np.ndarray) -> None: ...

    def search(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(rows), k)), np.zeros((len(rows), k), dtype=np.int64)


@pytest.mark.parametrize("kind", ["IVF16,SQ8", "IVF16,PQ8x4fs", "IVF16,RaBitQ"])
@pytest.mark.parametrize("gpus", [(0,), (0, 1)])
def test_an_index_built_with_them_is_the_one_built_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, kind: str, gpus: tuple[int, ...]
) -> None:
    cards = Cards(monkeypatch, count=2)
    rows = clustered(ROWS)
    plain = CandidateIndex.build(kind, rows.astype(np.float32), [rows], dim=DIM)
    built = CandidateIndex.build(kind, rows.astype(np.float32), [rows[:500], rows[500:]], dim=DIM, gpus=gpus)
    assert cards.moved == [*gpus, *gpus]  # centres, then rows
    built.save(tmp_path / "a.faiss")
    kept = CandidateIndex.load(tmp_path / "a.faiss", kind=kind, dim=DIM, rows=ROWS)
    found = kept.search(queries(20), depth=50, effort=16)
    np.testing.assert_array_equal(found, plain.search(queries(20), depth=50, effort=16))


def test_what_does_not_fit_is_said_and_built_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    asked: Any,  # noqa: F811
) -> None:
    cards = Cards(monkeypatch)
    monkeypatch.setattr(gpu, "free_bytes", lambda number: 1_000_000)
    rows = clustered(ROWS)
    truth = np.argsort(-(asked.vectors @ rows.astype(np.float32).T), axis=1)[:, :100]
    with pytest.warns(RuntimeWarning, match=r"centres of IVF16,SQ8 are found on the CPU: about 1\.6 GB are needed"):
        found = build("IVF16,SQ8", row_file(tmp_path, rows), asked, truth, dim=DIM, target=0.1, gpus=[0])
    assert (found.index.kind, cards.moved) == ("IVF16,SQ8", [])
    assert "does not fit" not in fits([0], 1000)


def test_a_graph_of_the_gpu_needs_one_that_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(300)
    with pytest.raises(InvalidConfig, match="CAGRA32 is built on a GPU; expected --device cuda"):
        CandidateIndex.build("CAGRA32", rows.astype(np.float32), [rows], dim=DIM)
    monkeypatch.setattr(gpu, "free_bytes", lambda number: 1_000_000)
    with pytest.raises(InvalidConfig, match="CAGRA32 over 300 rows does not fit: about 1.6 GB"):
        CandidateIndex.build("CAGRA32", rows.astype(np.float32), [rows], dim=DIM, gpus=[0])


def test_a_graph_of_the_gpu_is_searched_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A graph made on the CPU stands in for what cuVS gives: the class, its file and its search are the real ones."""
    rows = clustered(2000)

    def graph(vectors: np.ndarray, degree: int, number: int) -> Any:
        index = faiss.IndexHNSWCagra(DIM, degree // 2, faiss.METRIC_INNER_PRODUCT)
        index.add(vectors)
        return index

    monkeypatch.setattr(gpu, "cagra", graph)
    CandidateIndex.build("CAGRA32", rows.astype(np.float32), [rows], dim=DIM, gpus=[0]).save(tmp_path / "a.faiss")
    kept = CandidateIndex.load(tmp_path / "a.faiss", kind="CAGRA32", dim=DIM, rows=2000)
    found = kept.search(queries(20), depth=20, effort=256)
    true = np.argsort(-(queries(20) @ rows.astype(np.float32).T), axis=1)[:, :10]
    assert np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]) > 0.95


def test_estimates_grow_with_what_is_built() -> None:
    assert training_bytes(10**6, 768, 1024) > training_bytes(10**5, 768, 1024) > 4 * 768 * 10**5
    assert graph_bytes(10**6, 768, 64) > 4 * 768 * 10**6


def test_free_memory_is_what_the_driver_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.free_bytes(0) is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = --id=7 ] && echo 1024 || echo nothing\n')
    tool.chmod(0o755)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    assert gpu.free_bytes(1) == 2**30
    assert gpu.free_bytes(0) is None
    assert fits([1], 2**31) == "about 2.1 GB are needed and 1.1 GB are free"
    assert fits([0, 1], 2**29) == ""
