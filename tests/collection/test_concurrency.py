"""One process writes without end, eight read: no error, and every answer is that of exactly one version.

The long run: `C2VSEARCH_MINUTES=10 python -m pytest -m slow -s tests/collection/test_concurrency.py` (3 by default).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, sweep
from tests.collection.builder import build, check, writer
from tests.collection.concurrency_child import held_by

MINUTES = float(os.environ.get("C2VSEARCH_MINUTES", "3"))


def child(*arguments: str) -> subprocess.Popen[str]:
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.collection.concurrency_child", *arguments]
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def write_and_read(place: Path, *, seconds: float, rounds: int, readers: int) -> tuple[int, Counter[str]]:
    """The last version, and what the readers counted."""
    root, stop = place / "i", place / "stop"
    build(root, held_by(1))
    writing = child("write", str(root), str(stop))
    reading = [child("read", str(root), str(seconds), str(rounds), str(seed)) for seed in range(readers)]
    try:
        ended = [(process, *process.communicate()) for process in reading]
        stop.touch()
        ended.append((writing, *writing.communicate()))
    finally:
        for process in (writing, *reading):
            process.kill()
    for process, _, problem in ended:
        assert process.returncode == 0, problem
    counts: Counter[str] = Counter()
    for _, told, _ in ended[:-1]:
        counts.update(json.loads(told))
    last = int(ended[-1][1])
    collection = Collection.open(root)
    assert collection.manifest.version == last > 1
    check(collection, held_by(last))
    collection.verify()
    return last, counts


def test_readers_see_one_version_each(tmp_path: Path) -> None:
    last, counts = write_and_read(tmp_path, seconds=2.0, rounds=4, readers=8)
    assert counts["new"] >= 32
    assert counts["held"] >= 32
    assert counts["versions"] >= 16


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_readers_see_one_version_each_for_minutes(tmp_path: Path) -> None:
    last, counts = write_and_read(tmp_path, seconds=60 * MINUTES, rounds=100, readers=8)
    assert min(counts["new"], counts["held"], counts["late"], counts["gone"]) > 0
    print(f"{MINUTES:g} minutes, {last} versions: {dict(counts)}")  # noqa: T201


def test_a_version_that_was_current_until_now_stays_however_old_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader may have opened it a moment ago; then many commits come at once."""
    root = tmp_path / "i"
    with monkeypatch.context() as patches:
        patches.setattr("c2vsearch.collection.history.datetime", _Yesterday)
        build(root, held_by(1))
    opened = Collection.open(root)
    assert opened.manifest.created.startswith("2026-01-01")
    for version in range(2, sweep.KEEP_VERSIONS + 4):
        build(root, held_by(version))
    check(opened, held_by(1), queries=1)
    monkeypatch.setattr(sweep, "KEEP_SECONDS", 0.0)
    with writer(root) as target:
        target.commit()
    assert len(list((root / "versions").iterdir())) == sweep.KEEP_VERSIONS


class _Yesterday:
    """A stand-in for the module ``datetime``."""

    UTC = None

    class datetime:
        @staticmethod
        def now(zone: None) -> _Moment:
            return _Moment()


class _Moment:
    def isoformat(self, timespec: str) -> str:
        return "2026-01-01T00:00:00+00:00"
