"""Candidates: a compact FAISS index that says which rows may be near. Their order is settled by the rows themselves.

Any factory string of FAISS goes. Binary ones ("BFlat", "BHNSW32") are given the signs of a row. The effort of a search
is ``nprobe`` where the index has lists, ``ef_search`` where it is a graph, and nothing where it looks at every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.index import gpu
from c2vsearch.index.engine import faiss_module, in_threads, threads

# Fewer training rows for a list than this and FAISS warns that its centre is chance.
ROWS_PER_CENTRE = 39
# Larger files are mapped: only the lists that are looked into come into memory.
MAP_ABOVE_BYTES = 64_000_000
_BINARY = "B"
_CAGRA = re.compile(r"CAGRA([1-9]\d*)")
_REFINES = re.compile(r",(RFlat|Refine)|^IDMap")
_GRAPH_EFFORTS = (16, 32, 64, 128, 256, 512, 1024, 2048)


class CandidateIndex:
    """An index over N rows, numbered from 0.

    Args:
        index: A trained FAISS index.
        kind: Its factory string.
        dim: D.
    """

    def __init__(self, index: Any, *, kind: str, dim: int) -> None:
        self._faiss = faiss_module()
        self._index, self.kind, self._dim = index, kind, dim
        self._binary = kind.startswith(_BINARY)
        self._inner, self._rotated = _inside(index, binary=self._binary)
        self._selects = True

    @classmethod
    def build(
        cls, kind: str, sample: NDArray[np.float32], parts: Iterable[NDArray[np.float16]], *, dim: int,
        gpus: Sequence[int] = (),
    ) -> CandidateIndex:  # fmt: skip
        """Train on a sample and add all rows, one part in memory at a time.

        Shape: sample (S, D), parts (N_i, D) each.

        Args:
            kind: A factory string, or "CAGRA32": a graph of that degree, which only a GPU builds, with all rows in
            memory. sample: Rows to train on.
            parts: All rows.
            dim: D.
            gpus: Where centres are found and rows assigned to them, where the kind has lists.

        Raises:
            InvalidConfig: FAISS knows no such kind, cannot train it on so few rows, or needs a GPU for it.
        """
        try:
            if degree := cagra_degree(kind):
                return cls(_graph_of(parts, degree, dim, gpus), kind=kind, dim=dim)
            made = cls(empty_index(kind, dim), kind=kind, dim=dim)
            lists = gpus if made._lists and not made._rotated and not made._binary else ()
            with gpu.trained_on(made._inner, lists, dim) if lists else nullcontext():
                made._index.train(made._coded(sample))
            with gpu.assigned_on(made._inner, lists, dim) if lists else nullcontext():
                for part in parts:
                    made._index.add(made._coded(part))
        except RuntimeError as error:
            raise InvalidConfig(f"an index of kind {kind!r} cannot be built: {_reason(error)}") from error
        return made

    @classmethod
    def load(cls, path: Path, *, kind: str, dim: int, rows: int) -> CandidateIndex:
        """Open a file that was compared with its recorded hash before: a damaged one can crash the process.

        Raises:
            CorruptFile: It is not the index it is said to be.
        """
        faiss = faiss_module()
        read = faiss.read_index_binary if kind.startswith(_BINARY) else faiss.read_index
        mapped = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if path.stat().st_size > MAP_ABOVE_BYTES else 0
        try:
            index = read(str(path), mapped)
        except RuntimeError as error:
            raise CorruptFile(f"{path} cannot be read by FAISS: {_reason(error)}") from error
        if (index.d, index.ntotal) != (dim, rows):
            raise CorruptFile(f"{path} holds {index.ntotal} rows of {index.d}; expected {rows} rows of {dim}")
        return cls(index, kind=kind, dim=dim)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        write = self._faiss.write_index_binary if self._binary else self._faiss.write_index
        # Through a file of Python's: FAISS does not look at what closing a file returns.
        with path.open("wb") as file:
            write(self._index, self._faiss.PyCallbackIOWriter(file.write))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def index(self) -> Any:
        """The index of FAISS."""
        return self._index

    @property
    def efforts(self) -> tuple[int, ...]:
        """What can be asked of it, least first; the last is all that it can do."""
        if self._lists:
            return (*(1 << power for power in range((self._lists - 1).bit_length())), self._lists)
        return _GRAPH_EFFORTS if self._graph else (0,)

    def work(self, effort: int, depth: int) -> int:
        """The effort a search takes in truth: a graph is walked until it has seen as many rows as are asked for."""
        return max(effort, depth) if self._graph else effort

    def search(
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """For each query at most ``depth`` live rows that may be near, -1 where there are no more.

        Args:
            queries: Unit rows. Shape: (Q, D).
            depth: Candidates of a query.
            effort: One of `efforts`, or between them.
            live: Whether each row counts; None when all do. Shape: (N,).

        Returns:
            Positions. Shape: (Q, depth).
        """
        depth = min(depth, len(self))
        return self._filtered(self._selecting(queries, depth, effort, self._selector(live)), live)

    def ask(
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """`search`, with each query asked as if it were the only one, in as many threads as there are cores.

        In a batch FAISS compares queries with the centres of lists in another way, and a list as far as another may
        or may not be looked into. Arguments and result as in `search`.
        """
        depth, selector = min(depth, len(self)), self._selector(live)

        def one_by_one(part: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
            return [self._selecting(query[None], depth, effort, selector)[0] for query in part]

        found = in_threads(one_by_one, list(queries))
        return self._filtered(np.array(found, dtype=np.int64).reshape(len(queries), depth), live)

    def _selector(self, live: NDArray[np.bool_] | None) -> Any:
        if live is None or not self._selects:
            return None
        return self._faiss.IDSelectorBitmap(np.packbits(live, bitorder="little"))

    def _selecting(self, queries: NDArray[np.float32], depth: int, effort: int, selector: Any) -> NDArray[np.int64]:
        """With what counts alone, where the kind can do that."""
        if selector is None or not self._selects:
            return self._search(queries, depth, effort, None)
        try:
            return self._search(queries, depth, effort, selector)
        except RuntimeError:  # this kind takes no selector
            self._selects = False
            return self._search(queries, depth, effort, None)

    def _search(self, queries: NDArray[np.float32], depth: int, effort: int, selector: Any) -> NDArray[np.int64]:
        # One query is bound by memory: more threads only wait for each other.
        with threads(1 if len(queries) == 1 else 0):
            parameters = self._parameters(max(effort, 1), depth, selector)
            found: NDArray[np.int64] = self._index.search(self._coded(queries), depth, params=parameters)[1]
        return found

    def _parameters(self, effort: int, depth: int, selector: Any) -> Any:
        faiss = self._faiss
        chosen = {"sel": selector} if selector is not None else {}
        if self._lists:
            # The graph over the centres, where there is one, has to find as many of them as are asked for.
            if hasattr(faiss.downcast_index(self._inner.quantizer) if not self._binary else None, "hnsw"):
                chosen["quantizer_params"] = faiss.SearchParametersHNSW(efSearch=max(64, 2 * effort))
            parameters = faiss.SearchParametersIVF(nprobe=min(effort, self._lists), **chosen)
        elif self._graph:
            parameters = faiss.SearchParametersHNSW(efSearch=self.work(effort, depth), **chosen)
        else:
            parameters = faiss.SearchParameters(**chosen) if chosen else None
        if parameters is not None and self._rotated:
            return faiss.SearchParametersPreTransform(index_params=parameters)
        return parameters

    @property
    def _lists(self) -> int:
        return int(getattr(self._inner, "nlist", 0))

    @property
    def _graph(self) -> bool:
        return hasattr(self._inner, "hnsw")

    def _coded(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows as the index takes them."""
        if self._binary:
            return np.packbits(rows > 0, axis=1)
        return np.ascontiguousarray(rows, dtype=np.float32)

    def _filtered(self, found: NDArray[np.int64], live: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        return found if live is None else np.where((found >= 0) & live[found], found, -1)


def empty_index(kind: str, dim: int) -> Any:
    """The FAISS index of a factory string, untrained.

    Raises:
        InvalidConfig: There is no such kind, or none for rows of this width.
    """
    faiss = faiss_module()
    if degree := cagra_degree(kind):
        return faiss.IndexHNSWCagra(dim, degree // 2, faiss.METRIC_INNER_PRODUCT)
    if _REFINES.search(kind):
        raise InvalidConfig(
            f"the kind {kind!r} refines or renumbers rows; expected one without: rows are numbered, and compared, here"
        )
    try:
        if kind.startswith(_BINARY):
            return faiss.index_binary_factory(dim, kind)
        return faiss.index_factory(dim, kind, faiss.METRIC_INNER_PRODUCT)
    except (RuntimeError, ValueError) as error:
        raise InvalidConfig(
            f"FAISS makes no index of kind {kind!r} for {dim} dimensions ({_reason(error)}); expected such as "
            "'IVF1024,SQ8' or 'HNSW32,SQ8'"
        ) from error


def cagra_degree(kind: str) -> int:
    """The degree of a graph of cuVS; 0 for another kind.

    >>> cagra_degree("CAGRA64"), cagra_degree("HNSW32,SQ8")
    (64, 0)
    """
    matched = _CAGRA.fullmatch(kind)
    return int(matched[1]) if matched else 0


def _graph_of(parts: Iterable[NDArray[np.float16]], degree: int, dim: int, gpus: Sequence[int]) -> Any:
    if not gpus:
        raise InvalidConfig(f"an index of kind CAGRA{degree} is built on a GPU; expected --device cuda, or HNSW32,SQ8")
    rows = np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])
    if problem := gpu.fits(gpus[:1], gpu.graph_bytes(len(rows), dim, degree)):
        raise InvalidConfig(f"CAGRA{degree} over {len(rows):,} rows does not fit: {problem}; use HNSW32,SQ8")
    return gpu.cagra(rows, degree, gpus[0])


def training_rows(kind: str, dim: int) -> int:
    """How many rows a kind has to be trained on; an index of fewer is better searched exactly.

    >>> training_rows("IVF1024,SQ8", 64), training_rows("HNSW32,SQ8", 64)
    (39936, 9984)
    """
    index = empty_index(kind, dim)  # named, because what is inside does not keep it
    inner, _ = _inside(index, binary=kind.startswith(_BINARY))
    return ROWS_PER_CENTRE * max(256, int(getattr(inner, "nlist", 0)))  # 256: the codes of a byte


def _inside(index: Any, *, binary: bool) -> tuple[Any, bool]:
    """The index behind a rotation, if there is one, and whether there is."""
    if binary:
        return index, False
    faiss = faiss_module()
    index = faiss.downcast_index(index)
    return (faiss.downcast_index(index.index), True) if hasattr(index, "chain") else (index, False)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[-1].rpartition("Error: ")[2][:160]
