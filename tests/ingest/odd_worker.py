"""The reading process with readers that misbehave, each for a suffix of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from c2vsearch.ingest import formats, worker
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.records import Document


def hang(blob: Blob, reading: Reading) -> Iterator[Document]:
    time.sleep(600)
    yield sound(blob)


def hang_in_c(blob: Blob, reading: Reading) -> Iterator[Document]:
    """No other thread of the process runs meanwhile."""
    ctypes.PyDLL(None).usleep(600_000_000)
    yield sound(blob)


def hang_later(blob: Blob, reading: Reading) -> Iterator[Document]:
    yield sound(blob)
    time.sleep(600)


def leave(blob: Blob, reading: Reading) -> Iterator[Document]:
    os._exit(3)
    yield sound(blob)


def crash(blob: Blob, reading: Reading) -> Iterator[Document]:
    ctypes.string_at(0)
    yield sound(blob)


def eat(blob: Blob, reading: Reading) -> Iterator[Document]:
    eaten = [bytearray(50_000_000) for _ in range(1000)]
    yield sound(blob, str(len(eaten)))


def killed(blob: Blob, reading: Reading) -> Iterator[Document]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield sound(blob)


def swallow(blob: Blob, reading: Reading) -> Iterator[Document]:
    """Takes a lack of memory for a fault of the file, as libraries' callers do."""
    from c2vsearch.errors import UnreadableDocument

    try:
        yield from eat(blob, reading)
    except Exception as error:
        raise UnreadableDocument("broken-odd", str(error)) from error


def noise(blob: Blob, reading: Reading) -> Iterator[Document]:
    sys.stdout.write("noise" * 10_000)
    sys.stdout.flush()
    sys.stderr.write("noise")
    os.write(1, b"noise" * 10_000)
    os.write(2, b"noise")
    yield sound(blob, f"stdin had {len(sys.stdin.read())}")


def raise_(blob: Blob, reading: Reading) -> Iterator[Document]:
    raise eval(blob.data.decode())  # the test's own words
    yield


def forge(blob: Blob, reading: Reading) -> Iterator[Document]:
    yield Document(id="", source="/etc/passwd", text="Not what was asked for.", kind="odd")


def wait(blob: Blob, reading: Reading) -> Iterator[Document]:
    """The first files of several take longest."""
    time.sleep(float(blob.data))
    yield sound(blob, f"{os.getpid()}")


def tell_and_hang(blob: Blob, reading: Reading) -> Iterator[Document]:
    Path(blob.data.decode()).write_text(str(os.getpid()))
    yield from hang_in_c(blob, reading)


def tell_and_sleep(blob: Blob, reading: Reading) -> Iterator[Document]:
    Path(blob.data.decode()).write_text(str(os.getpid()))
    yield from hang(blob, reading)


def long(blob: Blob, reading: Reading) -> Iterator[Document]:
    for number in range(int(blob.data)):
        yield Document(id="", source=blob.source, member=str(number), text=f"{number} " * 50_000, kind="odd")


def sound(blob: Blob, text: str = "") -> Document:
    return Document(id="", source=blob.source, member=blob.member, text=text or blob.data.decode(), kind="odd")


ODD = {
    ".hang": hang,
    ".hangc": hang_in_c,
    ".later": hang_later,
    ".leave": leave,
    ".crash": crash,
    ".eat": eat,
    ".killed": killed,
    ".swallow": swallow,
    ".noise": noise,
    ".raise": raise_,
    ".forge": forge,
    ".wait": wait,
    ".tellhang": tell_and_hang,
    ".tellsleep": tell_and_sleep,
    ".long": long,
}

if __name__ == "__main__":
    formats.READERS.update(ODD)
    worker._ALARM_MARGIN_S = 1.0
    worker.main()
