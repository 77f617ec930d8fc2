"""kill -9 at any moment of a writer that syncs, compacts, vacuums, restores and repairs: nothing told is lost.

The long run: `C2VSEARCH_KILLS=1000 python -m pytest -m slow tests/collection/test_kill.py` (300 by default).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from c2vsearch.collection import Collection
from c2vsearch.collection.maintenance import repair
from tests.collection.builder import SMALL, check
from tests.collection.kill_child import damaged, replayed, seen

KILLS = int(os.environ.get("C2VSEARCH_KILLS", "300"))


def killed(root: Path, chance: random.Random) -> int:
    """Let a writer write, kill it, and give the last change that it told of."""
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    told = 0
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.collection.kill_child", str(root)], env=settings,
        stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, "the writer ended by itself"
        threading.Timer(chance.uniform(0.0, 0.4), child.kill).start()
        while line:
            told = int(line)
            line = child.stdout.readline()
    assert child.returncode == -9, "the writer ended by itself"
    return told


def kill_and_look(root: Path, times: int) -> None:
    last = 0
    for number in range(times):
        told = killed(root, random.Random(number))
        spoiled = damaged(root).read_text().split() if damaged(root).exists() else []
        assert set(repair(root, indexing=SMALL)) <= set(spoiled), f"kill {number}: a file is damaged"
        collection = Collection.open(root)
        changes = seen(collection)
        assert changes >= told > last, f"kill {number}: change {told} was told, {changes} are there"
        check(collection, replayed(changes), queries=1)
        collection.verify()
        last = changes


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    kill_and_look(tmp_path / "i", 5)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    kill_and_look(tmp_path / "i", KILLS)
