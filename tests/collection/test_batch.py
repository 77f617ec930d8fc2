"""Many queries of one version at once, on the CPU and on what stands for GPUs: the answers of single queries."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from c2vsearch.collection import Collection
from c2vsearch.errors import InvalidConfig, OutOfDeviceMemory
from c2vsearch.retriever import Retriever
from tests.collection.builder import ENCODER, WORDS, build, change, chunks_of, files, writer
from tests.index.gpu_standins import Devices

QUERIES = ENCODER.encode_queries([f"{one} {other}" for one in WORDS for other in WORDS[:4]])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An index of several segments with deletes."""
    model = {f"f{number}.md": chunks_of(f"f{number}.md", 9, seed=number) for number in range(12)}
    build(tmp_path / "i", model)
    with writer(tmp_path / "i") as target:
        change(target, model, seed=5)
        target.commit()
    assert Collection.open(tmp_path / "i").stats().deleted
    return tmp_path / "i"


def among(collection: Collection, share: float) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(2)
    return {entry.name: chance.random(entry.rows) < share for entry in collection.manifest.shards}


@pytest.mark.parametrize("share", [None, 0.5, 0.05, 0.0])
@pytest.mark.parametrize("k", [-1, 0, 1, 10, 1000])
def test_a_batch_answers_as_single_queries(root: Path, share: float | None, k: int) -> None:
    with Collection.open(root) as opened:
        chosen = None if share is None else among(opened, share)
        single = [opened.search_vectors(query, k=k, among=chosen) for query in QUERIES]
        assert opened.search_vectors_batch(QUERIES, k=k, among=chosen) == single
        assert opened.search_vectors_batch(QUERIES[:3], k=k, among=chosen) == single[:3]
        assert opened.search_vectors_batch(QUERIES[:0], k=k, among=chosen) == []


def test_cosines_are_the_scores_of_a_search(root: Path) -> None:
    with Collection.open(root) as opened:
        for query in QUERIES[:5]:
            hits = opened.search_vectors(query, k=50)
            assert opened.cosines([hit.row for hit in hits], query) == [hit.score for hit in hits]


def test_queries_of_another_shape_are_refused(root: Path) -> None:
    with Collection.open(root) as opened:
        for wrong in (QUERIES[0], QUERIES[:, :5], QUERIES[None], np.full_like(QUERIES, np.nan)):
            with pytest.raises(InvalidConfig, match=r"expected \(16,\) of finite numbers"):
                opened.search_vectors_batch(wrong, k=3)


def test_a_device_changes_no_answer_and_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 2)
    before = files(root)
    with Collection.open(root, device="cpu") as opened:
        expected = opened.search_vectors_batch(QUERIES, k=5)
        some = among(opened, 0.6)
        filtered = opened.search_vectors_batch(QUERIES, k=5, among=some)
    devices = Devices(monkeypatch, count=2)
    for device in ("cuda", "cuda:1", "cuda:0,1"):
        with Collection.open(root, device=device) as opened:
            assert opened.search_vectors(QUERIES[0], k=5) == expected[0]
            assert devices.flat
            assert opened.search_vectors_batch(QUERIES, k=5) == expected
            assert opened.search_vectors_batch(QUERIES, k=5, among=some) == filtered
            assert opened.cosines([hit.row for hit in expected[3]], QUERIES[3]) == [hit.score for hit in expected[3]]
        devices.flat.clear()
    assert files(root) == before


def test_a_device_that_is_not_there_is_refused_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cuda", "cuda:0"):
        with pytest.raises(InvalidConfig, match="FAISS sees 0 GPUs"):
            Retriever.open(root, device=device)
    with pytest.raises(InvalidConfig, match="expected auto, cpu, cuda"):
        Collection.open(root, device="gpu")
    Devices(monkeypatch, room=10)
    with Collection.open(root, device="cuda") as opened, pytest.raises(OutOfDeviceMemory, match="or --device cpu"):
        opened.search_vectors(QUERIES[0], k=5)


def test_auto_takes_a_gpu_only_when_there_is_much_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.collection.collection.GPU_PAYS_FROM", 50)
    monkeypatch.setattr("c2vsearch.index.approximate.COMPARE_ALL", 2)
    devices = Devices(monkeypatch)
    with Collection.open(root) as opened:
        expected = [opened.search_vectors(query, k=5) for query in QUERIES]
        assert not devices.flat  # 48 queries
        assert opened.search_vectors_batch(QUERIES, k=5) == expected
        assert len(devices.flat) == len(opened.manifest.vectors)
        assert opened.search_vectors_batch(QUERIES, k=5) == expected
        assert len(devices.flat) == len(opened.manifest.vectors)


def test_auto_warns_once_where_it_does_not_fit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.collection.collection.GPU_PAYS_FROM", 1)
    Devices(monkeypatch, room=10)
    with Collection.open(root) as opened:
        with pytest.warns(RuntimeWarning, match="the CPU searches them") as told:
            found = opened.search_vectors_batch(QUERIES, k=5)
        assert len(told) == len(opened.manifest.vectors)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert opened.search_vectors_batch(QUERIES, k=5) == found


def test_without_a_gpu_auto_asks_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.collection.collection.GPU_PAYS_FROM", 1)
    monkeypatch.setattr("c2vsearch.index.gpu.problem_of", lambda number: pytest.fail("probed"))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("started"))
    with Collection.open(root) as opened:
        assert len(opened.search_vectors_batch(QUERIES, k=5)) == len(QUERIES)
