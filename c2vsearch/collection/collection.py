"""A reader pinned to one version. It takes no lock, loads what it needs when it needs it, and checks what it loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.manifest import FileEntry, Manifest, SourceState
from c2vsearch.errors import CorruptFile, IncompatibleVersion, InvalidConfig
from c2vsearch.records import Chunk

if TYPE_CHECKING:
    from c2vsearch.collection.tables import Deletes
    from c2vsearch.index.lexical import LexicalIndex
    from c2vsearch.index.vectors import VectorSegment
    from c2vsearch.shards import Shard


class Row(NamedTuple):
    """A row of a version: the number of its shard in the manifest, and its place in that shard."""

    shard: int
    row: int


class RowScore(NamedTuple):
    """A row and its score; higher is better."""

    row: Row
    score: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Sizes of a version. ``chunks`` counts live rows; ``deleted`` those that wait for compaction."""

    version: int
    versions: tuple[int, ...]
    chunks: int
    deleted: int
    shards: int
    segments: int
    bytes_shards: int
    bytes_vectors: int
    bytes_lexical: int


class Collection:
    """One version of an index directory.

    Args:
        root: The index directory.
        manifest: What the version consists of.
    """

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest
        self._shards: dict[int, Shard] = {}
        self._segments: dict[int, VectorSegment] = {}
        self._numbers = {entry.name: number for number, entry in enumerate(manifest.shards)}

    @classmethod
    def open(cls, root: Path | str, *, version: int | None = None) -> Collection:
        """Open the newest version, or the one named.

        Raises:
            IndexNotFound: There is no index, or no such version.
            CorruptFile: Its manifest is damaged.
            IncompatibleVersion: It was written in a format this version does not know.
        """
        root = Path(root)
        return cls(root, layout.open_manifest(root, version))

    def search_vectors(self, query: NDArray[np.float32], *, k: int) -> list[RowScore]:
        """The k live rows nearest to a unit query, by cosine. Shape: query (D,)."""
        if query.shape != (self.manifest.fingerprint.dim,):
            raise InvalidConfig(f"the query has shape {query.shape}; expected ({self.manifest.fingerprint.dim},)")
        found: list[RowScore] = []
        for number, entry in enumerate(self.manifest.vectors):
            starts = self._starts(entry.shards)
            deleted = self._deleted_positions(entry.shards)
            for position, score in self._segment(number).search(query, k=k, deleted=deleted):
                inside = int(np.searchsorted(starts, position, side="right")) - 1
                row = Row(self._numbers[entry.shards[inside]], position - int(starts[inside]))
                found.append(RowScore(row, score))
        return sorted(found, key=lambda item: (-item.score, item.row))[:k]

    def search_text(self, query: str, *, k: int) -> list[RowScore]:
        """The k live rows best matching the words of a query, by BM25."""
        if self._lexical is None:
            return []
        found = []
        for key, score in self._lexical.search(query, k=k):
            shard, _, row = key.rpartition(":")
            found.append(RowScore(Row(self._numbers[shard], int(row)), score))
        return sorted(found, key=lambda item: (-item.score, item.row))

    def text_ceiling(self, query: str) -> float:
        """The most BM25 could give for a query."""
        return self._lexical.ceiling(query) if self._lexical is not None else 0.0

    def cosines(self, rows: Sequence[Row], query: NDArray[np.float32]) -> list[float]:
        """The cosine of some rows with a unit query, in their order. Shape: query (D,)."""
        found: dict[Row, float] = {}
        for number, entry in enumerate(self.manifest.vectors):
            starts = dict(zip((self._numbers[name] for name in entry.shards), self._starts(entry.shards), strict=False))
            inside = [row for row in rows if row.shard in starts]
            if inside:
                positions = np.array([int(starts[row.shard]) + row.row for row in inside], dtype=np.int64)
                scores = self._segment(number).rows(positions) @ query
                found.update(zip(inside, scores.clip(-1.0, 1.0).tolist(), strict=True))
        return [found[row] for row in rows]

    def chunks(self, rows: Sequence[Row]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for."""
        found: dict[Row, Chunk] = {}
        for number in sorted({row.shard for row in rows}):
            wanted = [row for row in rows if row.shard == number]
            found.update(zip(wanted, self._shard(number).chunks([row.row for row in wanted]), strict=True))
        return [found[row] for row in rows]

    def vectors(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The vectors of some rows, in the order asked for. Shape: (len(rows), D)."""
        found = np.empty((len(rows), self.manifest.fingerprint.dim), dtype=np.float32)
        for number in sorted({row.shard for row in rows}):
            places = [place for place, row in enumerate(rows) if row.shard == number]
            found[places] = self._shard(number).vectors_at([rows[place].row for place in places])
        return found

    def iter_rows(self) -> Iterator[tuple[Row, Chunk]]:
        """Every live row with its chunk, in the order of the shards."""
        for number, entry in enumerate(self.manifest.shards):
            deleted = self.deletes.get(entry.name, set())
            for row, chunk in enumerate(self._shard(number).iter_chunks()):
                if row not in deleted:
                    yield Row(number, row), chunk

    def iter_chunks(self) -> Iterator[Chunk]:
        """Every live chunk, in the order of the shards."""
        return (chunk for _, chunk in self.iter_rows())

    @cached_property
    def deletes(self) -> Deletes:
        """Rows that no longer count, by shard."""
        if self.manifest.deletes is None:
            return {}
        from c2vsearch.collection.tables import read_deletes

        return read_deletes(self._verified(self.manifest.deletes))

    @cached_property
    def sources(self) -> dict[str, SourceState]:
        """How each source stood when this version was written."""
        if self.manifest.sources is None:
            return {}
        from c2vsearch.collection.tables import read_sources

        return read_sources(self._verified(self.manifest.sources))

    def stats(self) -> Stats:
        """Sizes of this version."""
        manifest = self.manifest
        deleted = manifest.deletes.rows if manifest.deletes else 0
        lexical = manifest.lexical.files if manifest.lexical else ()
        return Stats(
            version=manifest.version,
            versions=tuple(layout.versions(self.root)),
            chunks=sum(entry.rows for entry in manifest.shards) - deleted,
            deleted=deleted,
            shards=len(manifest.shards),
            segments=len(manifest.vectors),
            bytes_shards=sum(entry.size_bytes for entry in manifest.shards),
            bytes_vectors=sum(entry.file.size_bytes for entry in manifest.vectors),
            bytes_lexical=sum(entry.size_bytes for entry in lexical),
        )

    def verify(self) -> int:
        """Compare every byte of this version with what was recorded; give the number of files compared.

        Raises:
            CorruptFile: A file is missing or damaged.
        """
        for entry in self.manifest.files():
            self._verified(entry)
        return len(self.manifest.files())

    def _shard(self, number: int) -> Shard:
        if number not in self._shards:
            from c2vsearch.shards import Shard

            # Pages carry checksums of their own, but the footer that says where they are does not: a shard is a few
            # megabytes, and hashing it once takes milliseconds.
            self._shards[number] = Shard(self._verified(self.manifest.shards[number]))
        return self._shards[number]

    def _segment(self, number: int) -> VectorSegment:
        if number not in self._segments:
            from c2vsearch.index.vectors import VectorSegment

            entry = self.manifest.vectors[number].file
            path = self._verified(entry)
            self._segments[number] = VectorSegment(path, dim=self.manifest.fingerprint.dim, rows=entry.rows)
        return self._segments[number]

    @cached_property
    def _lexical(self) -> LexicalIndex | None:
        from c2vsearch.index.lexical import ANALYSIS, LexicalIndex

        entry = self.manifest.lexical
        if entry is None:
            return None
        if entry.analysis != ANALYSIS:
            raise IncompatibleVersion(
                f"the keyword index of {self.root} was made with the analysis {entry.analysis!r}; this version of "
                f"c2vsearch uses {ANALYSIS!r}: build the index again with --rebuild"
            )
        for file in entry.files:
            self._verified(file)
        return LexicalIndex(self.root / entry.directory)

    def _verified(self, entry: FileEntry) -> Path:
        path = self.root / entry.name
        try:
            artifacts.verify_checksum(path, expected=entry.sha256, size_bytes=entry.size_bytes)
        except CorruptFile as error:
            raise CorruptFile(f"{error}; restore the file, or build the index again with --rebuild") from error
        return path

    def _starts(self, shards: Sequence[str]) -> NDArray[np.int64]:
        rows = [self.manifest.shards[self._numbers[name]].rows for name in shards]
        return np.cumsum([0, *rows])

    def _deleted_positions(self, shards: Sequence[str]) -> NDArray[np.int64]:
        starts = self._starts(shards)
        positions = [
            int(start) + row for name, start in zip(shards, starts, strict=False) for row in self.deletes.get(name, ())
        ]
        return np.array(sorted(positions), dtype=np.int64)
