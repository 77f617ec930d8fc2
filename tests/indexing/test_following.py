"""An index that follows its files, with the real file system's events."""

from __future__ import annotations

import queue
import threading
from functools import partial
from pathlib import Path

import pytest

from c2vsearch import index_directory
from c2vsearch.errors import IndexLocked
from c2vsearch.indexing import IndexReport
from c2vsearch.indexing.following import watch

WAIT_S = 60


def test_changes_are_taken_in_until_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.indexing.following.RETRY_MS", 100)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("One text.")
    place = docs / "index"  # its own files are below the root, and are no change
    reports: queue.Queue[IndexReport] = queue.Queue()
    refused: list[bool] = []

    def sync() -> IndexReport:
        if (docs / "b.md").exists() and not refused:
            refused.append(True)
            raise IndexLocked("another process is writing")
        return index_directory(docs, index=place, encoder="hash")

    def expect(counts: dict[str, int]) -> None:
        """The next report; the system may tell of one change twice, and the second time nothing is left to do."""
        report = reports.get(timeout=WAIT_S)
        while set(report.counts) == {"unchanged"}:
            report = reports.get(timeout=WAIT_S)
        assert report.counts == counts

    stop = threading.Event()
    run = partial(watch, [docs], index=place, sync=sync, on_report=reports.put, stop=stop)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        expect({"added": 1})
        (docs / "b.md").write_text("Another text.")
        expect({"added": 1, "unchanged": 1})
        assert refused
        (docs / "a.md").unlink()
        expect({"deleted": 1, "unchanged": 1})
    finally:
        stop.set()
        thread.join(timeout=WAIT_S)
    assert not thread.is_alive()
