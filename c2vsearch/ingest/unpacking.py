"""How much one file may unpack to: counted while it is unpacked, over everything that lies inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import UnreadableDocument

# What one thing inside a file may hold, as it is held in memory whole.
LARGEST_MEMBER = 100_000_000
_STEP = 1 << 20


class Stream(Protocol):
    """Something that is read."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


@dataclass(slots=True)
class Budget:
    """What is left of the limits of one file on disk. What headers declare is not believed."""

    size_bytes: int
    members: int

    @classmethod
    def of(cls, config: ReadingConfig) -> Budget:
        """All of it."""
        return cls(config.max_unpacked_bytes, config.max_members)

    def spend(self, size_bytes: int) -> None:
        """Take bytes off.

        Raises:
            UnreadableDocument: "bomb".

        >>> Budget(10, 1).spend(11)
        Traceback (most recent call last):
        ...
        c2vsearch.errors.UnreadableDocument: it unpacks to more than the limit
        """
        self.size_bytes -= size_bytes
        if self.size_bytes < 0:
            raise UnreadableDocument("bomb", "it unpacks to more than the limit")

    def count_member(self) -> None:
        """Take one thing off.

        Raises:
            UnreadableDocument: "too-many-members".
        """
        self.members -= 1
        if self.members < 0:
            raise UnreadableDocument("too-many-members", "it holds more files than the limit; the rest is not read")

    def read(self, stream: Stream) -> bytes:
        """The whole of a stream.

        Raises:
            UnreadableDocument: "bomb" when the file unpacks to more than it may, "too-large" when this alone does.
        """
        parts: list[bytes] = []
        size = 0
        while part := stream.read(_STEP):
            self.spend(len(part))
            size += len(part)
            if size > LARGEST_MEMBER:
                raise UnreadableDocument("too-large", f"it unpacks to more than {LARGEST_MEMBER} bytes")
            parts.append(part)
        return b"".join(parts)


@dataclass(slots=True)
class Counted:
    """A stream whose bytes are taken off a budget, read or skipped."""

    stream: Stream
    budget: Budget

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""
        data = self.stream.read(size)
        self.budget.spend(len(data))
        return data
