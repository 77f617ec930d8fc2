"""One writer at a time. The lock is the operating system's: it goes with the process that held it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.errors import IndexLocked


@contextmanager
def write_lock(root: Path) -> Iterator[None]:
    """Hold the lock of an index directory that is there.

    Raises:
        IndexLocked: Another process is writing.
    """
    lock = FileLock(root / layout.LOCK, timeout=0)
    try:
        with artifacts.storage_errors():
            lock.acquire()
    except Timeout as error:
        raise IndexLocked(f"another process is writing to {root}; wait for it to finish, then try again") from error
    try:
        yield
    finally:
        lock.release()
