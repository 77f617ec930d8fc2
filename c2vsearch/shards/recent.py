"""Unpacked rows kept for the next question: the most recently used, up to a number of bytes. Threads may share it.

Unpacking the texts of ten hits takes longer than searching 100,000 vectors; the next questions to an index are often
about the same files.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

import pyarrow as pa

Key = tuple[str, int]  # a file, and a row group of it
KEPT_BYTES = 64 << 20


class RecentTables:
    """Tables by file and row group.

    >>> recent = RecentTables(kept_bytes=100)
    >>> table = pa.table({"x": list(range(8))})  # 64 bytes
    >>> recent.get(("a", 0), lambda: table) is recent.get(("a", 0), lambda: None)
    True
    >>> _ = recent.get(("b", 0), lambda: table)
    >>> list(recent)
    [('b', 0)]
    """

    def __init__(self, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._tables: OrderedDict[Key, pa.Table] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key, read: Callable[[], pa.Table]) -> pa.Table:
        """The table of a key, read where it is not kept. Two threads that need it at once both read it."""
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        table = read()
        with self._lock:
            self._keep(key, table)
        return table

    def _keep(self, key: Key, table: pa.Table) -> None:
        if key in self._tables or table.nbytes > self._kept_bytes:
            return
        self._tables[key] = table
        self._bytes += table.nbytes
        while self._bytes > self._kept_bytes:
            _, gone = self._tables.popitem(last=False)
            self._bytes -= gone.nbytes

    def __iter__(self) -> Iterator[Key]:
        """The keys whose tables are kept, the least recently used first."""
        with self._lock:
            return iter(list(self._tables))
