"""The benchmark for machines with a GPU runs from end to end without one, and says what brute force says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bench
import gpu_search
import numpy as np
import pytest
from vectors import PART, Made

from tests.index.gpu_standins import Devices


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu_search, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(gpu_search, "BATCHES", (1, 16))
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 4)
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 10)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_search.py", "--dim", "16", "--queries", "16", *arguments])
    gpu_search.main()


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, "--device", "cpu", "--rows", "3000")
    results = json.loads((tmp_path / "gpu_search_cpu.json").read_text())["results"]
    found = {one["name"]: one for one in results["sizes"]["3000"]}
    assert set(found) == {"torch", "flat on CPU", "IVF256,PQ2 on CPU", "IVF256,PQ4x4fs on CPU"}
    assert found["torch"]["recall"] == found["flat on CPU"]["recall"] == 1.0
    for one in found.values():
        assert one["recall"] >= 0.95 or one["effort"] == 256
        assert one["qps_1"] > 0 < one["qps_16"]


def test_with_what_stands_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    devices = Devices(monkeypatch)
    monkeypatch.setattr(gpu_search, "of_torch", lambda *_: {"recall": 1.0})
    monkeypatch.setattr(gpu_search, "device_names", lambda gpus: ["one"])

    def graph(rows: np.ndarray, degree: int, number: int) -> object:
        import faiss

        index = faiss.IndexHNSWCagra(16, degree // 2, faiss.METRIC_INNER_PRODUCT)
        index.add(rows)
        return index

    monkeypatch.setattr("c2vsearch.index.gpu.cagra", graph)
    run(monkeypatch, "--device", "cuda", "--rows", "3000", "--degree", "16")
    results = json.loads((tmp_path / "gpu_search.json").read_text())["results"]
    found = {one["name"]: one for one in results["sizes"]["3000"]}
    assert {"flat on GPU", "flat on CPU", "IVF256,PQ2 on GPU", "CAGRA16 on GPU", "CAGRA16 on CPU"} <= set(found)
    assert "IVF256,PQ4x4fs on GPU" not in found
    assert found["flat on GPU"]["recall"] == 1.0
    assert found["CAGRA16 on GPU"]["recall"] >= 0.95
    assert found["IVF256,PQ2 on GPU"]["recall"] == found["IVF256,PQ2 on CPU"]["recall"]
    assert all(index.asked for index in devices.copied)


def test_parts_drawn_by_many_are_those_drawn_in_order() -> None:
    made = Made(dim=8)
    rows = 2 * PART + 77
    np.testing.assert_array_equal(
        np.concatenate(list(gpu_search.drawn(made, rows))), np.concatenate(list(made.parts(rows)))
    )
