"""The benchmark of batches runs from end to end, and stops where a batch answers otherwise."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import batch_search
import bench
import pytest

from c2vsearch.index.vectors import VectorSegment


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(batch_search, "COUNTS", (1, 130))
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 4)
    arguments = ["batch_search.py", "--rows", "2000", "--dim", "16", "--kinds", "Flat", "IVF16,SQ8"]
    monkeypatch.setattr(sys, "argv", arguments)


def test_all_kinds_are_measured(tmp_path: Path) -> None:
    batch_search.main()
    results = json.loads((tmp_path / "batch_search.json").read_text())["results"]
    assert list(results["kinds"]) == ["Flat", "IVF16,SQ8"]
    for found in results["kinds"].values():
        assert [(one["rows"], one["queries"]) for one in found] == [
            (name, count) for name in ("all", "1% deleted", "a tenth") for count in (1, 130)
        ]


def test_another_answer_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = VectorSegment.search_batch
    monkeypatch.setattr(
        VectorSegment,
        "search_batch",
        lambda *given, **more: [hits[: 3 if len(given[1]) > 9 else None] for hits in real(*given, **more)],
    )
    with pytest.raises(SystemExit, match="a batch of 130 answers otherwise"):
        batch_search.main()
