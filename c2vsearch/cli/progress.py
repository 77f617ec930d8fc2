"""How far a run is: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from c2vsearch.cli.console import duration, messages

if TYPE_CHECKING:
    from c2vsearch.indexing import Progress


def progress(*, quiet: bool) -> AbstractContextManager[Callable[[Progress], None] | None]:
    """What a run may call to say how far it is; None when nobody wants to know."""
    console = messages()
    if quiet:
        return nullcontext(None)
    return _Bar(console) if console.is_terminal else nullcontext(_Lines(console))


class _Bar:
    """A live line on a terminal: share of the bytes, files, chunks, tokens a second, time left."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("reading", total=None, detail="")

    def __enter__(self) -> Callable[[Progress], None]:
        self._bar.__enter__()
        return self._update

    def __exit__(self, *details: Any) -> None:
        self._bar.__exit__(*details)

    def _update(self, progress: Progress) -> None:
        self._bar.update(
            self._task, description=progress.stage or "embedding", total=max(progress.bytes, 1),
            completed=progress.bytes_done, detail=_detail(progress),
        )  # fmt: skip


class _Lines:
    """A plain line now and then where no terminal is."""

    def __init__(self, console: Any, *, every_s: float = 10.0) -> None:
        self._console, self._every_s, self._last_s = console, every_s, 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.stage:
            self._console.print(progress.stage)
        elif progress.seconds - self._last_s >= self._every_s:
            self._last_s = progress.seconds
            left = progress.seconds * (progress.bytes / max(progress.bytes_done, 1) - 1)
            self._console.print(f"{_detail(progress)}, about {duration(left)} left")


def _detail(progress: Progress) -> str:
    rate = progress.tokens / progress.seconds if progress.seconds else 0
    return f"{progress.files_done}/{progress.files} files, {progress.chunks} chunks, {rate:,.0f} tokens/s"
