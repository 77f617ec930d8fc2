"""An index that follows its files: a sync now, and another after each change, until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from c2vsearch.errors import IndexLocked
from c2vsearch.indexing.report import IndexReport
from c2vsearch.optional import require

DEBOUNCE_MS = 1_000
RETRY_MS = 5_000


def watch(
    roots: Iterable[Path],
    *,
    index: Path,
    sync: Callable[[], IndexReport],
    on_report: Callable[[IndexReport], None],
    stop: threading.Event | None = None,
) -> None:
    """Call ``sync`` at once and after every change below the roots; ``on_report`` gets what each did.

    Changes that follow each other within a second are one. Where another process is writing to the index the change
    is kept for the next turn, which comes after five seconds at the latest.

    Args:
        roots: The directories, or files, of the index.
        index: The index, whose own files may lie below a root and do not count.
        sync: Brings the index up to date, such as `functools.partial` of `index_directory` with a loaded encoder.
        on_report: Called in this thread.
        stop: Ends the watch when it is set; Ctrl-C ends it as well.

    Raises:
        MissingDependency: watchfiles is not installed.
    """
    watchfiles = require("watchfiles", extra="watch", purpose="watching files")
    own = str(index.resolve())
    _attempt(sync, on_report)
    missed = True  # what changed before the system was asked to tell of changes
    changes = watchfiles.watch(
        *roots, watch_filter=lambda _, path: not _below(str(Path(path)), own), debounce=DEBOUNCE_MS, stop_event=stop,
        rust_timeout=RETRY_MS, yield_on_timeout=True, raise_interrupt=True,
    )  # fmt: skip
    for change in changes:
        if change or missed:
            missed = _attempt(sync, on_report)


def _attempt(sync: Callable[[], IndexReport], on_report: Callable[[IndexReport], None]) -> bool:
    """Whether the sync could not be done now."""
    try:
        report = sync()
    except IndexLocked:
        return True
    on_report(report)
    return False


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")
