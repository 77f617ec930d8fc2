"""One writer at a time. The lock is the operating system's: it goes with the process that held it.

Who holds it is written into the file, for people. It is told only while the lock is held, and believed only if the
process is there: after a `kill -9` it says something old until the next writer comes.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.errors import IndexLocked, InvalidConfig

# How long until a writer that waits looks again.
POLL_SECONDS = 0.1
_MOST_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that writes: its number, the name of its machine, and since when (ISO 8601, UTC)."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def write_lock(root: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of an index directory that is there.

    Args:
        root: The index directory.
        wait_seconds: How long to wait for another writer to finish.

    Raises:
        IndexLocked: Another process is writing; the message says which, where that is known.
        InvalidConfig: The lock is not a plain file, or lies on a file system that has no locks.
        StorageReadOnly: The directory cannot be written to.
    """
    descriptor = _opened(root / layout.LOCK)
    try:
        _acquire(descriptor, root, wait_seconds)
        _tell(descriptor)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def wait_until_free(root: Path, seconds: float) -> None:
    """Wait until nobody writes to an index, or the time is over. Another may be first all the same."""
    if (root / layout.LOCK).is_file():
        with contextlib.suppress(IndexLocked), write_lock(root, wait_seconds=seconds):
            pass


def holder(path: Path) -> Holder | None:
    """Who wrote its name into a lock file last; None when nobody did, or nobody who can hold it now."""
    try:
        with path.open("rb") as file:
            told = Holder(**json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if type(told.pid) is not int or not isinstance(told.host, str) or not isinstance(told.since, str):
        return None
    return None if told.host == socket.gethostname() and not _is_running(told.pid) else told


def _opened(path: Path) -> int:
    try:
        with artifacts.storage_errors():
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise InvalidConfig(f"{path} is not a plain file; expected the lock of an index: remove it") from error
        raise


def _acquire(descriptor: int, root: Path, wait_seconds: float) -> None:
    until = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise IndexLocked(_refusal(root)) from error
        except OSError as error:
            raise InvalidConfig(
                f"{root} lies on a file system that has no locks ({error.strerror}); expected one that has: keep the "
                "index on a local disk, or copy it there with c2vsearch pack and unpack"
            ) from error
        time.sleep(POLL_SECONDS)


def _refusal(root: Path) -> str:
    who = holder(root / layout.LOCK)
    return f"another process is writing to {root}{f' ({who})' if who else ''}; wait for it to finish, then try again"


def _tell(descriptor: int) -> None:
    """Write down who holds it. A disk that is full does not keep anybody from holding a lock."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode("ascii") + b"\n", 0)


def _is_running(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
