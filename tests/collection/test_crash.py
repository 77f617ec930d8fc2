"""The writer is killed, the disk fills up, files cannot grow: the last version opens and the next run completes."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, layout
from c2vsearch.errors import StorageFull
from tests.collection.builder import build, check, chunks_of, put, state, use, writer
from tests.collection.faults import Faults

OLD = {f"{n}.md": chunks_of(f"{n}.md", 4, seed=0) for n in range(4)}
NEW = {**OLD, "0.md": chunks_of("0.md", 6, seed=1), "9.md": chunks_of("9.md", 9, seed=1)}
NEW.pop("3.md")


def child(*arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True, env=settings)


def test_a_crash_at_some_touches_of_the_disk_loses_nothing(tmp_path: Path) -> None:
    run = child("-m", "tests.collection.crash_child", str(tmp_path), "before", "9")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_any_touch_of_the_disk_loses_nothing(tmp_path: Path, moment: str) -> None:
    run = child("-m", "tests.collection.crash_child", str(tmp_path), moment, "1")
    assert run.returncode == 0, run.stdout + run.stderr


def update(root: Path) -> None:
    with writer(root) as target:
        target.remove_source("3.md")
        for name in ("0.md", "9.md"):
            put(target, NEW[name])
        target.commit()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_at_any_touch_keeps_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    root = tmp_path / "i"
    build(root, OLD)

    def full() -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    told: list[str] = []
    at = 0 if number == errno.ENOSPC else 3
    while True:
        at += 1 if number == errno.ENOSPC else 7
        with monkeypatch.context() as patches:
            faults = Faults(patches.setattr, full, at=at)
            try:
                update(root)
            except StorageFull as error:
                told.append(str(error))
        newest = layout.versions(root)[-1]
        if newest > 1:
            break  # from here on the version is there, and what fails is the removal of old files
        check(Collection.open(root), OLD, queries=1)
        Collection.open(root).verify()
        assert not [path for path in root.rglob(".tmp-*")], f"touch {at} left a temporary file"
    assert len(told) > 5
    assert all("everything committed so far is kept" in message for message in told)
    assert faults.count >= at or number == errno.EDQUOT  # its steps may go beyond the last touch
    check(Collection.open(root), NEW, queries=1)
    update(root)
    Collection.open(root).verify()


def test_the_same_writer_can_commit_again_once_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "i"
    build(root, OLD)

    def full() -> None:
        raise OSError(errno.ENOSPC, "full")

    with writer(root) as target:
        target.remove_source("3.md")
        with monkeypatch.context() as patches:
            Faults(patches.setattr, full, at=2)
            with pytest.raises(StorageFull):
                put(target, NEW["9.md"])  # a shard fills up while the disk is full
        target.record_source(state("9.md", 9))  # the rows are in all the same
        put(target, NEW["0.md"])
        refused = 0
        for at in (1, 4, 8, 12, 16, 20, 24):
            with monkeypatch.context() as patches:
                Faults(patches.setattr, full, at=at)
                try:
                    target.commit()
                except StorageFull:
                    refused += 1
        assert refused > 3
        target.commit()
    check(Collection.open(root), NEW, queries=1)
    Collection.open(root).verify()


LIMITED = """
import resource, sys
from pathlib import Path
from c2vsearch.errors import StorageFull
from tests.collection.test_crash import update
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    update(Path(sys.argv[1]))
except StorageFull:
    print("StorageFull")
"""


@pytest.mark.parametrize("limit", [0, 700, 2500])
def test_files_that_cannot_grow_keep_the_old_version(tmp_path: Path, limit: int) -> None:
    root = tmp_path / "i"
    build(root, OLD)
    run = child("-c", LIMITED, str(root), str(limit))
    assert run.stdout.strip() == "StorageFull", run.stderr
    check(Collection.open(root), OLD, queries=1)
    update(root)
    check(Collection.open(root), NEW, queries=1)


FOREVER = """
import sys
from pathlib import Path
from tests.collection.builder import change, writer
root, seed = Path(sys.argv[1]), int(sys.argv[2])
while True:
    seed += 1
    with writer(root) as target:
        change(target, {}, seed=seed)
        print(target.commit(), flush=True)
"""


def test_kill_9_at_random_times(tmp_path: Path) -> None:
    root = tmp_path / "i"
    build(root, OLD)
    chance = random.Random(time.time_ns())
    for turn in range(4):
        process = subprocess.Popen([sys.executable, "-c", FOREVER, str(root), str(turn)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        told = int(process.stdout.readline())
        time.sleep(chance.random() * 0.7)
        process.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in process.communicate()[0].split())])
        collection = Collection.open(root)
        assert collection.manifest.version in (told, told + 1)  # what it said it committed is there
        collection.verify()
        use(root)
    with writer(root) as target:  # the lock died with the process
        for source in list(target.sources):
            target.remove_source(source)
        for chunks in NEW.values():
            put(target, chunks)
        target.commit()
    check(Collection.open(root), NEW, queries=1)
