"""The rows of a segment as one file: float16, in the layout of FAISS's flat index, written and read in pieces.

FAISS reads it whole (`c2vsearch.index.vectors`); what only needs a few rows of millions reads them here, and every
block it touches is compared with its recorded hash first.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, IncompatibleVersion
from c2vsearch.index.cosines import READ_ROWS
from c2vsearch.index.engine import faiss_module
from c2vsearch.shards.checked import BLOCK_BYTES, CheckedFile

# FAISS writes the number of rows after a tag and the width, and the number of bytes of codes last before them.
_COUNT = slice(8, 16)
_LENGTH = slice(-8, None)


def write_rows(path: Path, parts: Iterable[NDArray[np.float16]], *, dim: int, rows: int) -> None:
    """Write rows that come in pieces; one piece is in memory at a time.

    Args:
        path: Where to.
        parts: Shape: (N_i, D) each.
        dim: D.
        rows: How many there will be, N.

    Raises:
        CorruptFile: The pieces have another number of rows.
    """
    size = 0
    with path.open("wb") as file:
        file.write(flat_header(dim, rows))
        for part in parts:
            size += file.write(np.asarray(part, dtype="<f2").tobytes())
    if size != 2 * dim * rows:
        raise CorruptFile(f"{path} was to have {rows} rows of {dim} and got another number; build the index again")


def flat_header(dim: int, rows: int) -> bytes:
    """What stands before the rows in FAISS's file of an `IndexScalarQuantizer` (fp16, inner product).

    Raises:
        IncompatibleVersion: This FAISS writes it in another way.
    """
    faiss = faiss_module()
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    header = bytearray(faiss.serialize_index(index).tobytes())
    if any(header[_COUNT]) or any(header[_LENGTH]):
        raise IncompatibleVersion(
            f"faiss {faiss.__version__} writes flat indexes in another way than c2vsearch knows; expected 1.9 to 1.15"
        )
    header[_COUNT] = struct.pack("<q", rows)
    header[_LENGTH] = struct.pack("<Q", 2 * dim * rows)
    return bytes(header)


class RowFile:
    """Rows on the disk. Threads may share it.

    Args:
        path: The file.
        size_bytes: Its recorded size.
        blocks: The recorded hashes of its blocks.
        dim: D.
        rows: N.

    Raises:
        CorruptFile: The file is missing or has another size.
    """

    def __init__(self, path: Path, *, size_bytes: int, blocks: str, dim: int, rows: int) -> None:
        try:
            self._file = CheckedFile(path, size_bytes=size_bytes, blocks=blocks)
        except FileNotFoundError as error:
            raise CorruptFile(f"{path} is missing; expected {size_bytes} bytes") from error
        self._dim, self._row_bytes = dim, 2 * dim
        self._start = size_bytes - rows * self._row_bytes
        self._seen = np.zeros(-(-size_bytes // BLOCK_BYTES), dtype=np.bool_)  # which blocks were compared
        # Mapped, because gathering a hundred rows is then one step. The file is never changed, only unlinked.
        mapped = mmap.mmap(self._file.fileno(), size_bytes, access=mmap.ACCESS_READ)
        flat = np.frombuffer(mapped, dtype="<f2", count=rows * dim, offset=self._start)
        self._mapped: NDArray[np.float16] = flat.reshape(rows, dim)

    def __len__(self) -> int:
        return len(self._mapped)

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows in the order asked for. Shape: (len(positions), D)."""
        offsets = self._start + self._row_bytes * positions
        first, last = offsets // BLOCK_BYTES, (offsets + self._row_bytes - 1) // BLOCK_BYTES
        unseen = np.unique(np.concatenate([first[~self._seen[first]], last[~self._seen[last]]]))
        for block in unseen.tolist():
            self._file.check(block * BLOCK_BYTES, 1)
            self._seen[block] = True
        return self._mapped[positions].astype(np.float32)

    def parts(self, rows: int = READ_ROWS) -> Iterator[NDArray[np.float16]]:
        """All rows in order, ``rows`` at a time. Shape: (<= rows, D)."""
        for first in range(0, len(self), rows):
            part = self._mapped[first : first + rows]
            self._check(first, len(part))
            yield part

    def _check(self, first: int, rows: int) -> None:
        self._file.check(self._start + first * self._row_bytes, rows * self._row_bytes)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
