"""A file of which every byte handed out was compared with a recorded hash first.

Parquet's own page checksums cover neither page headers nor the footer: one flipped bit there can change an answer
without an error. So the hashes are over blocks of the file, whatever the blocks hold, and reading a few rows of a
large file costs the hashes of a few blocks.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

from c2vsearch.errors import CorruptFile

BLOCK_BYTES = 1 << 18
DIGEST_CHARACTERS = 16


def block_hashes(data: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of each block of 256 KiB, one after the other.

    >>> len(block_hashes(bytes(BLOCK_BYTES + 1))) == 2 * DIGEST_CHARACTERS
    True
    """
    view = memoryview(data)
    return "".join(_digest(view[start : start + BLOCK_BYTES]) for start in range(0, len(view), BLOCK_BYTES))


def file_hashes(path: Path) -> tuple[str, str]:
    """The SHA-256 of a file and its `block_hashes`, in one reading."""
    whole, blocks = hashlib.sha256(), []
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            whole.update(block)
            blocks.append(_digest(block))
    return whole.hexdigest(), "".join(blocks)


def _digest(block: bytes | memoryview) -> str:
    return hashlib.sha256(block).hexdigest()[:DIGEST_CHARACTERS]


class CheckedFile(io.RawIOBase):
    """A binary file open for reading, in the form pyarrow takes.

    Raises:
        CorruptFile: The file has another size than recorded; or, from a read, other bytes.
    """

    def __init__(self, path: Path, *, size_bytes: int, blocks: str) -> None:
        super().__init__()
        self._path, self._size, self._blocks, self._position = path, size_bytes, blocks, 0
        self._seen: set[int] = set()
        self._file = path.open("rb", buffering=0)
        found = os.fstat(self._file.fileno()).st_size
        if found != size_bytes or len(blocks) != DIGEST_CHARACTERS * -(-size_bytes // BLOCK_BYTES):
            self._file.close()
            raise CorruptFile(f"{path} has {found} bytes; expected {size_bytes}")

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, or all that are left."""
        end = self._size if size is None or size < 0 else min(self._size, self._position + size)
        data = self.read_at(self._position, max(end - self._position, 0))
        self._position += len(data)
        return data

    def read_at(self, start: int, size: int) -> bytes:
        """Some bytes that are there, wherever the file is at. Threads may share it."""
        end = start + size
        first, last = start // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        if size == 0:
            return b""
        if self._seen.issuperset(range(first, last)):
            return self._at(start, size)
        from_block = first * BLOCK_BYTES
        blocks = self._at(from_block, min(last * BLOCK_BYTES, self._size) - from_block)
        self._check(blocks, first)
        return blocks[start - from_block : end - from_block]

    def check(self, start: int, size: int) -> None:
        """Compare the blocks that hold some bytes, unless they were before: for who reads them in another way."""
        for block in range(start // BLOCK_BYTES, -(-(start + size) // BLOCK_BYTES)):
            if block not in self._seen:
                first = block * BLOCK_BYTES
                self._check(self._at(first, min(BLOCK_BYTES, self._size - first)), block)

    def fileno(self) -> int:
        """The descriptor, for mapping the file."""
        return self._file.fileno()

    def _at(self, start: int, size: int) -> bytes:
        data = os.pread(self._file.fileno(), size, start)
        if len(data) != size:
            raise CorruptFile(f"{self._path} became shorter while it was read; expected {self._size} bytes")
        return data

    def _check(self, data: bytes, first: int) -> None:
        view = memoryview(data)
        for number, start in enumerate(range(0, len(view), BLOCK_BYTES), start=first):
            expected = self._blocks[number * DIGEST_CHARACTERS : (number + 1) * DIGEST_CHARACTERS]
            if _digest(view[start : start + BLOCK_BYTES]) != expected:
                raise CorruptFile(
                    f"{self._path} is damaged near byte {number * BLOCK_BYTES}: it is not what was written"
                )
            self._seen.add(number)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as files do."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """Where the next read starts."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self._file.close()
        super().close()
