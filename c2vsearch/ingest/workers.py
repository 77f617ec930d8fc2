"""Reading in processes of their own: a parser that hangs, crashes or eats the memory costs one file, and is named.

What is our own short Python and small is read here. All else is read by `c2vsearch.ingest.worker`, in a fresh
interpreter and not a fork: this process has threads and libraries that do not survive one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import InvalidConfig, MissingDependency, UnreadableDocument
from c2vsearch.ingest.formats import IN_PROCESS, reader_of, refuse_by_name
from c2vsearch.ingest.limits import overdue, seconds_for
from c2vsearch.ingest.read import fault, read_whole, refusal, whole
from c2vsearch.ingest.reader import Blob
from c2vsearch.ingest.wire import Garbled, made, receive, send
from c2vsearch.records import Document, FileReport, SourceFile

MODULE = "c2vsearch.ingest.worker"
# Larger ones go to a process whoever reads them: what is short for a megabyte is long for a hundred.
LARGEST_IN_PROCESS = 1_000_000
# A fresh process now and then: libraries leak.
FILES_OF_A_PROCESS = 500
# Things inside one file that may each cost a process; after that the rest of the file is not read.
FAILURES_OF_A_FILE = 5
START_SECONDS = 60.0
_ANSWERS_AHEAD = 16
_FILES_AHEAD = 64
# The modules are found where this process found them, and not in the directory it happens to be in.
_START = "import sys; sys.path[:] = sys.argv[2:]; import runpy; runpy.run_module(sys.argv[1], run_name='__main__')"

Item = Document | FileReport


class Workers:
    """The processes of a run, started when they are first needed and ended with the ``with`` statement.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as place, Workers(ReadingConfig()) as workers:
    ...     path = pathlib.Path(place, "a.html")
    ...     _ = path.write_text("<p>The ferry leaves at nine.</p>")
    ...     [[item.text for item in items] for _, items in workers.read([SourceFile("a.html", str(path), 32, 0)])]
    [['The ferry leaves at nine.']]
    """

    def __init__(self, config: ReadingConfig) -> None:
        self._config = config
        self._crew = [_Worker(config) for _ in range(config.workers)]
        self._spare = _Worker(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for worker in (*self._crew, self._spare):
            worker.close()

    def read(self, files: Iterable[SourceFile]) -> Iterator[tuple[SourceFile, Iterator[Item]]]:
        """Each file in order with what is read in it, which is to be taken before the next file is.

        The inner iterators raise what `read_file` raises, and `UnreadableDocument` with "timeout", "out-of-memory" and
        "crashed". While one file is taken, and what was taken is used, the processes are at those that come after it.
        """
        coming, asked, free = iter(files), deque[tuple[SourceFile, _Worker | None]](), deque(self._crew)

        def ask_ahead() -> None:
            while free and len(asked) < _FILES_AHEAD and (file := next(coming, None)):
                worker = free.popleft() if _is_risky(file) else None
                if worker is not None:
                    worker.ask(file)
                asked.append((file, worker))

        def answer(worker: _Worker) -> Iterator[Item]:
            told = None
            try:
                yield from worker.answer()
            except (UnreadableDocument, MissingDependency) as error:
                told = error
            free.append(worker)
            ask_ahead()  # now and not when the next file is wanted: this one has yet to be cut
            if told is not None:
                raise told

        ask_ahead()
        while asked:
            file, worker = asked.popleft()
            items = self._read_here(file) if worker is None else answer(worker)
            yield file, items
            if worker is not None:
                _exhaust(items)  # what was not wanted of it stands in the pipe
            ask_ahead()

    def _read_here(self, file: SourceFile) -> Iterator[Item]:
        """A file that is read by this process, unless its bytes say that it is another than its name."""
        refuse_by_name(file.source)
        blob = whole(file)
        if reader_of(blob) in IN_PROCESS:
            yield from read_whole(blob, mtime_ns=file.mtime_ns, config=self._config)
        else:
            self._spare.ask(file)
            yield from self._spare.answer()


def _is_risky(file: SourceFile) -> bool:
    """Whether a file goes to a process, by its name and size; one that nobody reads does not."""
    try:
        reader = reader_of(Blob(file.source, b""))
    except UnreadableDocument:
        return False
    return reader not in IN_PROCESS or file.size_bytes > LARGEST_IN_PROCESS


def _exhaust(items: Iterator[Item]) -> None:
    with contextlib.suppress(UnreadableDocument, MissingDependency):
        deque(items, maxlen=0)


class _Lost(UnreadableDocument):
    """The process that read is gone."""


class _Worker:
    """One place to read at: a process, and a new one when it is gone. One file at a time: `ask`, then `answer`."""

    def __init__(self, config: ReadingConfig) -> None:
        self._config = config
        self._process: _Process | None = None
        self._closed, self._lock = False, threading.Lock()
        self._file = SourceFile("", "", 0, 0)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()

    def ask(self, file: SourceFile, *, refused: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Begin to read a file, but for things inside it that are not to be touched."""
        self._file = file
        request = ("read", dataclasses.replace(file, path=os.path.abspath(file.path)), refused or {})
        with self._lock:
            if self._process is not None and self._process.files >= FILES_OF_A_PROCESS:
                self._end()
            for _ in range(2):  # it may have died of something while nobody asked
                process = self._process or self._start()
                with contextlib.suppress(OSError):
                    process.ask(*request)
                    return
                self._end()

    def answer(self) -> Iterator[Item]:
        """What is in the file that was asked for.

        When the process is lost over a thing inside the file, another one reads the file again without it.
        """
        refused: dict[str, tuple[str, str]] = {}
        given = 0
        while True:
            # What is in the thing that is read now is held back, because it may have to be taken back.
            inside, held, skip = "", list[Item](), given
            try:
                for said in self._messages():
                    if isinstance(said, str):
                        yield from held
                        inside, held, given = said, [], given + len(held)
                    elif skip:
                        skip -= 1
                    elif inside:
                        held.append(said)
                    else:
                        given += 1
                        yield said
                yield from held
                return
            except _Lost as loss:
                if not inside:
                    raise
                if len(refused) >= FAILURES_OF_A_FILE:
                    rest = UnreadableDocument(loss.reason, f"{loss}; it and what follows is not read")
                    yield refusal(self._file.source, rest, member=inside)
                    return
                refused[inside] = (loss.reason, str(loss))
                self.ask(self._file, refused=refused)

    def _messages(self) -> Iterator[Item | str]:
        """Documents and reports as they come, and the name of each thing inside before it is read."""
        silence_s = seconds_for(self._file.size_bytes, self._config)
        while True:
            process = self._expect_process()
            try:
                message = process.inbox.get(timeout=silence_s)
            except queue.Empty:
                self._drop()
                raise _Lost("timeout", str(overdue(self._file.size_bytes, self._config))) from None
            if message is None:
                raise self._loss(process)
            try:
                said = self._understood(message)
            except (Garbled, LookupError, TypeError, ValueError) as error:
                self._drop()
                raise _Lost("crashed", f"its reading process talks nonsense: {fault(error)}") from error
            if said is None:
                return
            yield said

    def _understood(self, message: list[Any]) -> Item | str | None:
        name, *parts = message
        if name == "end":
            return None
        if name == "inside":
            return str(parts[0])
        if name == "missing":
            raise MissingDependency(str(parts[1]), extra=str(parts[0]))
        if name == "refused":
            if parts[0] in {"crashed", "out-of-memory"}:
                self._drop()  # what it left behind may spoil the next file
            raise UnreadableDocument(str(parts[0]), str(parts[1]))
        item: Item = made(Document, parts[0]) if name == "document" else made(FileReport, parts[0])
        if item.source != self._file.source:
            raise Garbled(f"it is of {item.source!r:.80}")
        return item

    def _expect_process(self) -> _Process:
        """The process, when it has said that it is ready.

        Raises:
            InvalidConfig: It does not start.
        """
        process = self._process
        if process is None:
            raise RuntimeError("the workers were closed while they were read from")
        if not process.ready:
            with contextlib.suppress(queue.Empty):
                process.ready = process.inbox.get(timeout=START_SECONDS) is not None
            if not process.ready:
                self._drop()
                raise InvalidConfig(
                    f"a process that reads files does not start: {process.fate()}; expected that Python runs in "
                    f"{self._config.max_memory_bytes} bytes of memory: give it more (--reader-memory)"
                )
        return process

    def _loss(self, process: _Process) -> _Lost:
        """Why the process is gone."""
        status = process.status()
        self._drop()
        if status == -getattr(signal, "SIGALRM", 0):
            return _Lost("timeout", str(overdue(self._file.size_bytes, self._config)))
        if status == -getattr(signal, "SIGKILL", 0):
            return _Lost("out-of-memory", "the system killed the process that read it, as it does when memory is short")
        return _Lost("crashed", f"the process that read it died: {process.fate()}")

    def _drop(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> _Process:
        if self._closed:
            raise RuntimeError("the workers are closed")
        self._process = _Process(self._config)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


class _Process:
    """An interpreter that reads, the thread that hears it, and what was heard; None is the last word."""

    def __init__(self, config: ReadingConfig) -> None:
        self.files, self.ready = 0, False
        self.inbox: queue.Queue[list[Any] | None] = queue.Queue(maxsize=_ANSWERS_AHEAD)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, MODULE, *sys.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
            start_new_session=True, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        self._hearing = threading.Thread(target=self._hear, args=(config.max_memory_bytes,), daemon=True)
        self._hearing.start()
        with contextlib.suppress(OSError):  # one that did not start is noticed when it is listened to
            self._say("settings", dataclasses.asdict(config))

    def ask(self, *request: object) -> None:
        self.files += 1
        self._say(*request)

    def status(self) -> int:
        return self._child.wait()

    def fate(self) -> str:
        """How it ended, in words."""
        status = self.status()
        if status >= 0:
            return f"exit status {status}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
        return f"signal {-status}"

    def end(self) -> None:
        """End it now, and the thread that may wait to put what it heard."""
        self._child.kill()
        self._child.wait()
        while self._hearing.is_alive():
            with contextlib.suppress(queue.Empty):
                self.inbox.get(timeout=0.02)
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):  # what could not be sent
                pipe.close()  # type: ignore[union-attr]
        with contextlib.suppress(queue.Full):
            self.inbox.put_nowait(None)

    def _say(self, *message: object) -> None:
        assert self._child.stdin is not None
        send(self._child.stdin, *message)

    def _hear(self, limit: int) -> None:
        assert self._child.stdout is not None
        with contextlib.suppress(Garbled, OSError, ValueError, MemoryError):
            while (message := receive(self._child.stdout, limit=limit)) is not None:
                self.inbox.put(message)
        self.inbox.put(None)
