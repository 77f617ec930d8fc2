"""Kills a forked writer at each touch of the disk in turn, and looks at what it left. Run by test_crash.py."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from c2vsearch.collection import Collection, sweep
from tests.collection.builder import Model, build, check, chunks_of, put, writer
from tests.collection.faults import Faults

OLD: Model = {f"{n}.md": chunks_of(f"{n}.md", 4, seed=0) for n in range(4)}
NEW: Model = {
    **{f"{n}.md": chunks_of(f"{n}.md", 5, seed=1) for n in range(1, 4)}, "9.md": chunks_of("9.md", 9, seed=1),
}  # fmt: skip
DONE = 17


def rewrite(root: Path) -> None:
    """From OLD to NEW: shards are worn and rewritten, versions swept, every room written to."""
    sweep.KEEP_VERSIONS, sweep.KEEP_SECONDS, sweep.PENDING_SECONDS = 1, 0.0, 0.0
    with writer(root) as target:
        target.remove_source("0.md")
        for chunks in NEW.values():
            put(target, chunks)
        target.commit()


def in_a_fork(action: Callable[[], None]) -> int:
    """The exit status of a forked process that does something; its traceback goes to stderr."""
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def crash(root: Path, at: int, after: bool) -> None:
    faults = Faults(setattr, lambda: os._exit(9), at=at, after=after)
    rewrite(root)
    os._exit(DONE if faults.count < at else 9)


def inspect(root: Path) -> None:
    """The last version is whole, and the next run brings the new state about and leaves no litter."""
    collection = Collection.open(root)
    collection.verify()
    check(collection, NEW if collection.manifest.version > 1 else OLD, queries=1)
    rewrite(root)
    collection = Collection.open(root)
    collection.verify()
    check(collection, NEW, queries=1)
    with writer(root) as target:
        target.commit()
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    needed = {entry.name for entry in collection.manifest.files()}
    assert there == needed | {"lock", f"versions/{collection.manifest.version:08d}.json"}, there ^ needed


def build_old(root: Path) -> None:
    """The version that is there before."""
    build(root, OLD)


def main(place: Path, *, after: bool, stride: int) -> None:
    """Crash at every ``stride``-th touch until a run gets through."""
    assert in_a_fork(lambda: build_old(place / "old")) == 0
    at = 1
    while True:
        root = Path(shutil.copytree(place / "old", place / "i"))
        status = in_a_fork(lambda root=root, at=at: crash(root, at, after))  # type: ignore[misc]
        if status not in (9, DONE):
            sys.exit(f"touch {at}: the writer ended with {status}")
        if in_a_fork(lambda root=root: inspect(root)) != 0:  # type: ignore[misc]
            sys.exit(f"touch {at}: what it left is not what it should be")
        shutil.rmtree(root)
        if status == DONE:
            return
        at += stride


if __name__ == "__main__":
    main(Path(sys.argv[1]), after=sys.argv[2] == "after", stride=int(sys.argv[3]))
