"""A reader pinned to one version. It takes no lock, loads what it needs when it needs it, and checks what it loads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.manifest import FileEntry, Manifest
from c2vsearch.collection.row import Row, RowScore
from c2vsearch.errors import CorruptFile, IncompatibleVersion, IndexNotFound, InvalidConfig
from c2vsearch.records import Chunk

if TYPE_CHECKING:
    from c2vsearch.collection.compaction import Live
    from c2vsearch.collection.deletes import Deletes
    from c2vsearch.collection.open_segment import OpenSegment
    from c2vsearch.collection.open_shards import OpenShards
    from c2vsearch.collection.sources import SourceTable
    from c2vsearch.collection.stats import Stats
    from c2vsearch.index.lexical import LexicalIndex
    from c2vsearch.shards import RecentTables, Shard

# Up to so many keys the keyword index is asked for them alone; a key costs about as much as half a hit.
FEW_KEYS = 10_000
# From so many queries on it pays to copy rows to a GPU, if nobody asked for it: starting one takes a second or two.
GPU_PAYS_FROM = 256


class Collection:
    """One version of an index directory. Threads may share it.

    Args:
        root: The index directory.
        manifest: What the version consists of.
        device: As in `open`.
    """

    def __init__(self, root: Path, manifest: Manifest, *, device: str = "auto") -> None:
        self.root = root
        self.manifest = manifest
        self._lock = threading.RLock()
        self._segments: dict[int, OpenSegment] = {}
        self._device, self._asked, self._moved = device, 0, set[int]()
        self._numbers = {entry.name: number for number, entry in enumerate(manifest.shards)}

    @classmethod
    def open(cls, root: Path | str, *, version: int | None = None, device: str = "auto") -> Collection:
        """Open the newest version, or the one named.

        Args:
            root: The index directory.
            version: Its number.
            device: Where vectors are searched: "cpu"; "cuda" or "cuda:0,1", from the first query on; "auto", which is
                the CPU for the first 256 queries, and then the GPUs that FAISS has, if it has some that work.

        Raises:
            InvalidConfig: There is no such device, or it does not work.
            IndexNotFound: There is no index, or no such version.
            CorruptFile: Its manifest is damaged.
            IncompatibleVersion: It was written in a format this version does not know.
        """
        root = Path(root)
        opened = cls(root, layout.open_manifest(root, version), device=device)
        if device != "auto":
            opened._gpus  # noqa: B018  (refused here, and not at the first query)
        return opened

    def search_vectors(self, query: NDArray[np.float32], *, k: int, among: Live | None = None) -> list[RowScore]:
        """The k live rows nearest to a unit query, by cosine; equal scores in order of the rows.

        As many as there are, up to k, whatever is left out. Where the index is approximate a row may be missing, as
        often as its manifest says; scores are always exact.

        Args:
            query: Shape: (D,).
            k: Rows to give, at most.
            among: Which rows of each shard may be given; none of a shard that is not named. None for all of all.

        Raises:
            InvalidConfig: The query has another shape, or is not finite; or ``among`` is not of this version.
            CorruptFile: A file is missing or damaged.
            MissingDependency: FAISS is not installed.
        """
        if query.ndim != 1:
            dim = self.manifest.fingerprint.dim
            raise InvalidConfig(f"the query has shape {query.shape}; expected ({dim},) of finite numbers")
        return self.search_vectors_batch(query[None], k=k, among=among)[0]

    def search_vectors_batch(
        self, queries: NDArray[np.float32], *, k: int, among: Live | None = None
    ) -> list[list[RowScore]]:
        """What `search_vectors` gives for each query, to the last digit, and several times as quick for many.

        Args:
            queries: Shape: (Q, D).
            k: Rows to give for each, at most.
            among: As in `search_vectors`, for all of them.

        Raises:
            InvalidConfig: As `search_vectors` does.
            CorruptFile: A file is missing or damaged.
            MissingDependency: FAISS is not installed.
        """
        dim = self.manifest.fingerprint.dim
        if queries.ndim != 2 or queries.shape[1] != dim or not np.isfinite(queries).all():
            what = f"the query has shape {queries.shape[1:]}" if len(queries) == 1 else f"queries have {queries.shape}"
            raise InvalidConfig(f"{what}; expected ({dim},) of finite numbers, for each query")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        chosen = self._by_number(among) if among is not None else None
        with self._lock:
            self._asked += len(queries)
        found: list[list[RowScore]] = [[] for _ in queries]
        for number in range(len(self.manifest.vectors)):
            for hits, more in zip(found, self._segment(number).search_batch(queries, k, chosen), strict=True):
                hits += more
        return [sorted(hits, key=lambda hit: (-hit.score, hit.row))[: max(k, 0)] for hits in found]

    def search_text(self, query: str, *, k: int, among: Live | None = None) -> list[RowScore]:
        """The k live rows best matching the words of a query, by BM25.

        Args:
            query: Its words.
            k: Rows to give, at most.
            among: As in `search_vectors`. Scores are those of a search among all rows.

        Raises:
            InvalidConfig: ``among`` is not of this version.
            CorruptFile: A file is missing or damaged.
            IncompatibleVersion: The terms of the index were made in another way.
        """
        lexical = self._lexical
        if lexical is None:
            return []
        if among is None:
            return self._scored(lexical.search(query, k=k))
        chosen = self._by_number(among)
        matching = sum(int(np.count_nonzero(mask)) for mask in among.values())
        if matching > FEW_KEYS or 2 * matching > len(lexical):  # where most may be given, few hits are in vain
            return self._search_deeper(query, k, chosen, len(lexical) // matching)
        keys = [layout.lexical_key(name, row) for name, mask in among.items() for row in np.flatnonzero(mask).tolist()]
        return self._scored(lexical.search(query, k=k, among=keys))

    def _search_deeper(self, query: str, k: int, chosen: dict[int, NDArray[np.bool_]], rarity: int) -> list[RowScore]:
        """Ever more hits, until k of them may be given or there are no more."""
        assert self._lexical is not None
        depth = 2 * k * (rarity + 1)
        while True:
            found = self._scored(self._lexical.search(query, k=depth))
            kept = [hit for hit in found if hit.row.shard in chosen and chosen[hit.row.shard][hit.row.row]]
            if len(kept) >= k or len(found) < depth:
                return kept[: max(k, 0)]
            depth *= 4

    def _by_number(self, among: Live) -> dict[int, NDArray[np.bool_]]:
        rows = {entry.name: entry.rows for entry in self.manifest.shards}
        for name, mask in among.items():
            if mask.shape != (rows.get(name, -1),):
                raise InvalidConfig(
                    f"among has {mask.shape} for {name!r}; expected shards of this version, and a truth value for each "
                    "of their rows"
                )
        return {self._numbers[name]: mask for name, mask in among.items()}

    def _scored(self, found: Sequence[tuple[str, float]]) -> list[RowScore]:
        """What the keyword index found, as rows; equal scores in order of the rows."""
        hits = []
        for key, score in found:
            name, row = layout.shard_row(key)
            hits.append(RowScore(Row(self._numbers[name], row), score))
        return sorted(hits, key=lambda hit: (-hit.score, hit.row))

    def rows_with(self, words: str) -> list[Row]:
        """The live rows that have all the words of a text, as the keyword index knows words; in order."""
        found = self._lexical.having(words) if self._lexical is not None else []
        return sorted(Row(self._numbers[name], row) for name, row in map(layout.shard_row, found))

    def text_ceiling(self, query: str) -> float:
        """The most BM25 could give for a query."""
        return self._lexical.ceiling(query) if self._lexical is not None else 0.0

    def cosines(self, rows: Sequence[Row], query: NDArray[np.float32]) -> list[float]:
        """The cosine of some live rows with a unit query, in their order. Shape: query (D,)."""
        found: dict[Row, float] = {}
        for number in range(len(self.manifest.vectors)):
            found.update(self._segment(number).cosines(rows, query))
        return [found[row] for row in rows]

    def chunks(self, rows: Sequence[Row]) -> list[Chunk]:
        """The chunks of some rows, in the order asked for."""
        return self._shards.chunks(rows)

    def vectors(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The vectors of some rows, in the order asked for. Shape: (len(rows), D)."""
        return self._shards.vectors(rows, dim=self.manifest.fingerprint.dim)

    def token_codes(self, rows: Sequence[Row], *, codec: str) -> list[bytes | None]:
        """The codes of the token states of some rows, in the order asked for.

        Args:
            rows: Rows.
            codec: The identity of the codec that will read them; None is given for rows that another one made.
        """
        return self._shards.token_codes(rows, codec=codec)

    def iter_rows(self) -> Iterator[tuple[Row, Chunk]]:
        """Every live row with its chunk, in the order of the shards."""
        for number, entry in enumerate(self.manifest.shards):
            deleted = self.deletes.get(entry.name, set())
            for row, chunk in enumerate(self.shard(number).iter_chunks()):
                if row not in deleted:
                    yield Row(number, row), chunk

    def iter_chunks(self) -> Iterator[Chunk]:
        """Every live chunk, in the order of the shards."""
        return (chunk for _, chunk in self.iter_rows())

    @cached_property
    def deletes(self) -> Deletes:
        """Rows that do not count, by shard."""
        if self.manifest.deletes is None:
            return {}
        from c2vsearch.collection.deletes import read_deletes

        with self._unless_swept():
            deletes = read_deletes(self.verified(self.manifest.deletes))
        rows = {entry.name: entry.rows for entry in self.manifest.shards}
        if any(max(gone) >= rows.get(name, 0) or min(gone) < 0 for name, gone in deletes.items()):
            raise CorruptFile(f"{self.root / self.manifest.deletes.name} names rows that are not there")
        return deletes

    def live(self) -> Live:
        """Whether each row counts, by shard."""
        masks = {}
        for entry in self.manifest.shards:
            masks[entry.name] = np.ones(entry.rows, dtype=np.bool_)
            masks[entry.name][sorted(self.deletes.get(entry.name, ()))] = False
        return masks

    @cached_property
    def sources(self) -> SourceTable:
        """How each source stood when this version was written, by its name."""
        from c2vsearch.collection.sources import SourceTable

        with self._unless_swept():
            return SourceTable(self.verified(self.manifest.sources) if self.manifest.sources else None)

    def stats(self) -> Stats:
        """Sizes of this version."""
        from c2vsearch.collection.stats import sizes

        return sizes(self)

    def verify(self) -> int:
        """Compare every byte of this version with what was recorded; give the number of files compared.

        Raises:
            CorruptFile: Files are missing or damaged; the message names them all.
        """
        from c2vsearch.collection.verify import verify

        return verify(self)

    def verified(self, entry: FileEntry) -> Path:
        """The path of a file whose every byte was just compared with what was recorded.

        Raises:
            CorruptFile: It is missing or damaged.
            IndexNotFound: It is gone because this version is.
        """
        if problem := self.damage(entry):
            mend = (
                "" if layout.is_sole(entry.name) else f"mend it with: c2vsearch verify --repair --index {self.root}, "
            )
            raise CorruptFile(f"{problem}; {mend}restore the file, or build the index again with --rebuild")
        return self.root / entry.name

    def damage(self, entry: FileEntry) -> str:
        """What is wrong with a file whose every byte is compared with what was recorded; "" when nothing is.

        Raises:
            IndexNotFound: It is gone because this version is.
        """
        path = self.root / entry.name
        try:
            artifacts.verify_checksum(path, expected=entry.sha256, size_bytes=entry.size_bytes)
        except CorruptFile as error:
            self._refuse_swept()
            return str(error)
        return ""

    def shard(self, number: int) -> Shard:
        """A shard of this version, open. Its blocks are compared with what was recorded as they are read."""
        return self._shards.shard(number)

    @cached_property
    def _shards(self) -> OpenShards:
        from c2vsearch.collection.open_shards import OpenShards
        from c2vsearch.shards import RecentTables

        recent = RecentTables()
        return OpenShards(lambda number: self._open_shard(number, recent))

    def close(self) -> None:
        """Let go of the files. What is asked for afterwards is opened again."""
        with self._lock:
            self._segments.clear()
            self._moved.clear()
            for name in ("_shards", "_lexical", "sources"):
                self.__dict__.pop(name, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_shard(self, number: int, recent: RecentTables) -> Shard:
        from c2vsearch.shards import Shard

        entry = self.manifest.shards[number]
        path = self.root / entry.name
        try:
            shard = Shard(path, size_bytes=entry.size_bytes, blocks=entry.blocks, recent=recent)
        except CorruptFile:
            self._refuse_swept()
            raise
        if len(shard) != entry.rows or shard.dim != self.manifest.fingerprint.dim:
            raise CorruptFile(
                f"{path} has {len(shard)} rows of {shard.dim}; expected {entry.rows}; build the index again"
            )
        return shard

    def _refuse_swept(self) -> None:
        """A version that is gone is not damaged: its manifest went before its files."""
        if self.manifest.version not in layout.versions(self.root):
            raise IndexNotFound(
                f"version {self.manifest.version} of {self.root} was removed while it was open; open the index again"
            )

    @contextmanager
    def _unless_swept(self) -> Iterator[None]:
        """What was verified a moment ago and cannot be read now may have been swept between."""
        try:
            yield
        except CorruptFile:
            self._refuse_swept()
            raise

    def _segment(self, number: int) -> OpenSegment:
        from c2vsearch.collection.open_segment import open_segment

        with self._lock:
            if number not in self._segments:
                with self._unless_swept():
                    self._segments[number] = open_segment(self, self.manifest.vectors[number], self._numbers)
            if number not in self._moved and (self._device != "auto" or self._asked >= GPU_PAYS_FROM):
                self._moved.add(number)
                if self._gpus:
                    dim, strict = self.manifest.fingerprint.dim, self._device != "auto"
                    self._segments[number] = self._segments[number].on_gpus(self._gpus, dim=dim, strict=strict)
            return self._segments[number]

    @cached_property
    def _gpus(self) -> tuple[int, ...]:
        """The GPUs that vectors are searched on."""
        from c2vsearch.index.gpu import usable_gpus

        return usable_gpus(self._device)

    @cached_property
    def _lexical(self) -> LexicalIndex | None:
        from c2vsearch.index.analysis import analysis_name
        from c2vsearch.index.lexical import LexicalIndex

        entry = self.manifest.lexical
        if entry is None:
            return None
        if entry.analysis != analysis_name():
            raise IncompatibleVersion(
                f"the keyword index of {self.root} was made with the analysis {entry.analysis!r}; this version of "
                f"c2vsearch uses {analysis_name()!r}: the next `c2vsearch index` makes it anew, and embeds nothing "
                "again; until then search with --mode dense"
            )
        with self._unless_swept():
            index = LexicalIndex([self.verified(file) for file in entry.files])
        if len(index) != entry.documents:
            raise CorruptFile(f"{self.root / entry.directory} has {len(index)} documents; expected {entry.documents}")
        return index
