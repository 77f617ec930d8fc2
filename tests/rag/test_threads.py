"""One retriever, many threads: what they get is what one would, and the model is loaded once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from c2vsearch import Retriever, index_directory, inference, load_encoder

HANDBOOK = Path(__file__).parents[2] / "sample_corpora" / "handbook"
QUESTIONS = ["when am I paid", "lost laptop", "mileage for my own car"]
SETTINGS = [{"mode": "hybrid"}, {"mode": "dense"}, {"mode": "bm25"}, {"mode": "hybrid", "rerank": True}]
THREADS = 8


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("index") / "handbook"
    index_directory([HANDBOOK / "travel", HANDBOOK / "pay", HANDBOOK / "it"], index=place, encoder="c2v-mini")
    return place


def answers(retriever: Retriever) -> list[object]:
    found: list[object] = [retriever.search(q, k=5, **settings) for q in QUESTIONS for settings in SETTINGS]
    found += [retriever.context(q, max_tokens=400) for q in QUESTIONS]
    return [*found, retriever.search_batch(QUESTIONS, k=3)]


def test_threads_get_what_one_gets(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Retriever.open(index) as alone:
        expected = answers(alone)
    loaded = []

    def load(*args, **settings):
        loaded.append(args)
        return load_encoder(*args, **settings)

    monkeypatch.setattr(inference, "load_encoder", load)
    together = threading.Barrier(THREADS)

    def run(_: int) -> list[object]:
        together.wait()  # all of them find nothing loaded
        return answers(shared)

    with Retriever.open(index) as shared, ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(run, range(THREADS)):
            assert found == expected
    assert len(loaded) == 1


def test_the_event_loop_goes_on_meanwhile(index: Path) -> None:
    async def run(retriever: Retriever) -> tuple[object, ...]:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(turn())
        found = await asyncio.gather(
            retriever.asearch(QUESTIONS[0], k=2, mode="dense"), retriever.acontext(QUESTIONS[1], max_tokens=300)
        )
        other.cancel()
        return (*found, turns)

    with Retriever.open(index) as retriever:
        hits, context, turns = asyncio.run(run(retriever))
        assert hits == retriever.search(QUESTIONS[0], k=2, mode="dense")
        assert context == retriever.context(QUESTIONS[1], max_tokens=300)
    assert turns > 2
