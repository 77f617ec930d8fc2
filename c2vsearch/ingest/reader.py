"""What a reader is: bytes with a name in, documents out. One reader for each family of formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from c2vsearch.config import ReadingConfig
from c2vsearch.ingest.unpacking import Budget
from c2vsearch.records import Document, FileReport


@dataclass(frozen=True, slots=True)
class Blob:
    """A file, or one inside a file.

    ``source`` is the file as shown to people, ``member`` the path inside it ("" for the file itself), ``depth`` how
    many files it lies in.
    """

    source: str
    data: bytes = field(repr=False)
    member: str = ""
    depth: int = 0

    @property
    def name(self) -> str:
        """What its suffix is read from: the innermost name."""
        return (self.member or self.source).rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The last suffix in lower case, with its dot.

        >>> Blob("mail.zip", b"", member="2024/Report.PDF").suffix
        '.pdf'
        """
        return os.path.splitext(self.name)[1].lower()

    def inside(self, name: str, data: bytes) -> Blob:
        """A file inside this one.

        >>> Blob("mail.zip", b"", member="a.mbox").inside("3", b"").member
        'a.mbox/3'
        """
        return Blob(self.source, data, f"{self.member}/{name}" if self.member else name, self.depth + 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is given beside the bytes: the settings, what may be unpacked, how to read what is inside."""

    config: ReadingConfig
    budget: Budget
    _read: Callable[[Blob, Reading], Iterable[Document | FileReport]] = field(repr=False)

    def read(self, blob: Blob) -> Iterable[Document | FileReport]:
        """What is in a blob found inside; a `FileReport` where it is refused, never an `UnreadableDocument`."""
        return self._read(blob, self)


class Reader(Protocol):
    """Bytes to documents."""

    def __call__(self, blob: Blob, reading: Reading) -> Iterable[Document | FileReport]:
        """The documents of a file, in its order; a report for each thing inside that is none.

        A reader sets what it knows: ``source``, ``member``, ``text``, ``kind``, ``title``, ``headings``, ``pages``,
        ``lines``, ``metadata``. Identity, hash, size and time are added by `read_file`.

        Raises:
            UnreadableDocument: No text can be had from the whole of it; with a short, countable reason.
            MissingDependency: A package is needed that is not installed.
        """
