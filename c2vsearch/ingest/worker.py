"""A process that reads files for another: `python -m c2vsearch.ingest.worker`, started by `c2vsearch.ingest.workers`.

It takes requests from stdin, one after the other, and answers on stdout, document by document. Both are its own:
what a library prints goes nowhere. It ends when stdin does, and by a timer of the kernel if a parser hangs then.

Messages in are ``settings`` (first, once) and ``read``; messages out ``ready``, ``inside``, ``document``, ``report``,
and one of ``end``, ``refused`` and ``missing`` at the end of each file.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Mapping
from typing import IO, Any

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.ingest.limits import overgrown, seconds_for
from c2vsearch.ingest.read import fault, read_file
from c2vsearch.ingest.reader import Blob
from c2vsearch.ingest.wire import receive, send
from c2vsearch.records import Document, SourceFile

REQUEST_LIMIT = 64_000_000
# The one who waits is quicker; this is for a process that nobody waits for any more.
_ALARM_MARGIN_S = 10.0


def main() -> None:
    """Read until nobody asks any more."""
    requests, answers = _own_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    first = receive(requests, limit=REQUEST_LIMIT)
    if first is None:
        return
    config = settings(first[1])
    _limit_memory(config.max_memory_bytes)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it ends the process, without asking the interpreter
    voice = _Voice(answers)
    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    voice.say("ready")
    while True:
        _, source, refused = waiting.get()
        _answer(SourceFile(*source), refused, config, voice)


def settings(told: Mapping[str, Any]) -> ReadingConfig:
    """The settings of the one who asks, whose tuples came as lists.

    >>> settings({"metadata_fields": ["a"], "workers": 2}).metadata_fields
    ('a',)
    """
    values: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in told.items()}
    return ReadingConfig(**values)


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes under numbers that no library writes to; stdin, stdout and stderr lead nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    return requests, answers


def _limit_memory(size_bytes: int) -> None:
    """Where the system knows such a limit; and no core dumps."""
    with contextlib.suppress(ImportError):
        import resource

        for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, size_bytes)):
            with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit below what is mapped already
                resource.setrlimit(kind, (limit, limit))


def _listen(requests: IO[bytes], waiting: queue.SimpleQueue[list[Any]]) -> None:
    """Requests into a queue; nobody at the other end means that there is nothing left to do."""
    with contextlib.suppress(BaseException):
        while (request := receive(requests, limit=REQUEST_LIMIT)) is not None:
            waiting.put(request)
    os._exit(0)


class _Voice:
    """What is said, and a timer that runs while nothing is: the kernel's, so that it rings in a parser that hangs."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._silence_s = 0.0

    def allow(self, silence_s: float) -> None:
        """How long it may be silent from now on; 0 is for ever."""
        self._silence_s = silence_s
        self._wind(silence_s)

    def say(self, *parts: object) -> None:
        self._wind(0)  # the one who listens may be busy for long
        try:
            send(self._answers, *parts)
        except OSError:
            os._exit(0)
        self._wind(self._silence_s)

    def _wind(self, seconds: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(file: SourceFile, refused: Mapping[str, tuple[str, str]], config: ReadingConfig, voice: _Voice) -> None:
    """One file. ``refused`` are things inside it that cost a process each when they were tried."""

    def announce(blob: Blob) -> None:
        if blob.member in refused:
            raise UnreadableDocument(*refused[blob.member])
        voice.say("inside", blob.member)

    voice.allow(seconds_for(file.size_bytes, config) + _ALARM_MARGIN_S)
    try:
        for item in read_file(file, config=config, on_inside=announce):
            voice.say("document" if isinstance(item, Document) else "report", item)
        end: tuple[object, ...] = ("end",)
    except UnreadableDocument as error:
        end = ("refused", error.reason, str(error))
    except MissingDependency as error:
        end = ("missing", error.extra, str(error))
    except MemoryError:
        end = ("refused", "out-of-memory", str(overgrown(config)))
    except BaseException as error:
        end = ("refused", "crashed", f"the reader failed: {fault(error)}")
    voice.allow(0)
    voice.say(*end)


if __name__ == "__main__":
    main()
