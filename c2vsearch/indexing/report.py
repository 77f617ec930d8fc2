"""What a run says of itself: how far it is, and in the end how each file ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from c2vsearch.records import FileReport


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes are those of the files that have to be read; ``stage`` says what is done behind them."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    chunks: int
    tokens: int
    seconds: float
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a run did. Every file it saw, and every file that is gone, is in ``files`` exactly once,
    in order of its name.

    ``waited_seconds`` are those in which nothing was embedded because no chunk was ready; ``searched`` says in words
    how vectors are searched now, and how well.
    """

    index: Path
    roots: tuple[Path, ...]
    version: int
    files: Sequence[FileReport]
    chunks: int
    encoded: int
    reused: int
    tokens: int
    seconds: float
    waited_seconds: float = 0.0
    settings_changed: str = ""
    hints: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Files by status, and by reason where there is one: ``{"added": 3, "skipped: binary": 1}``."""
        return counts(self.files)


def counts(files: Iterable[FileReport]) -> dict[str, int]:
    """Reports by status, and by reason where there is one."""
    keys = (f"{file.status}: {file.reason}" if file.reason else file.status for file in files)
    return dict(sorted(Counter(keys).items()))


class IndexingInterrupted(KeyboardInterrupt):
    """Ctrl-C: what was finished is committed, and the same call goes on from there. Carries the `IndexReport`."""

    def __init__(self, report: IndexReport) -> None:
        super().__init__(f"interrupted; {len(report.files)} files are done")
        self.report = report
