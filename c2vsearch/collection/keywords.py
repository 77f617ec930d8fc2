"""The keyword index of a version: that of the version before, less the rows that are gone, plus the new ones."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import layout
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.compaction import Live, open_entry
from c2vsearch.collection.manifest import FileEntry, LexicalEntry, Manifest, ShardEntry, describe
from c2vsearch.index import lexical
from c2vsearch.index.analysis import analysis_name
from c2vsearch.records import Chunk


def next_keywords(
    root: Path, before: Collection | None, shards: Sequence[ShardEntry], live: Live, *, version: int
) -> LexicalEntry:
    """Write the keyword index of the next version, or take over that of the version before when no row changed.

    It is written from nothing when its terms are made in another way now, or when most of its documents would be
    deleted ones: they take room and still count in the statistics.
    """
    previous = before.manifest.lexical if before else None
    if before is None or previous is None or words_changed(before.manifest):
        return _write(root, [], shards, live, removed=[], version=version)
    had = before.live()
    removed = [key for name, mask in had.items() for key in _keys(name, _less(mask, live.get(name)))]
    added = {name: _less(mask, had.get(name)) for name, mask in live.items()}
    if not removed and not any(mask.any() for mask in added.values()):
        return previous
    for file in previous.files:
        before.verified(file)  # or damage would be taken over and vouched for
    if lexical.deleted_documents(root / previous.directory) + len(removed) > _count(live):
        return _write(root, [], shards, live, removed=[], version=version)
    entry = _write(root, previous.files, shards, added, removed=removed, version=version)
    return dataclasses.replace(entry, documents=_count(live))


def words_changed(manifest: Manifest) -> bool:
    """Whether a version has keywords that were made in another way than they are now, so that none can be found."""
    return manifest.lexical is not None and manifest.lexical.analysis != analysis_name()


def _write(
    root: Path,
    previous: Sequence[FileEntry],
    shards: Sequence[ShardEntry],
    added: Live,
    *,
    removed: Sequence[str],
    version: int,
) -> LexicalEntry:
    directory = f"{layout.LEXICAL}/{version:08d}-{secrets.token_hex(4)}"
    files = [root / entry.name for entry in previous]
    lexical.write_version(root / directory, previous=files, added=_documents(root, shards, added), removed=removed)
    known = {Path(entry.name).name: entry for entry in previous}
    entries = [_entry(root, path, known.get(path.name)) for path in sorted((root / directory).iterdir())]
    return LexicalEntry(directory, analysis_name(), _count(added), tuple(entries))


def _less(mask: NDArray[np.bool_], other: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return mask if other is None else mask & ~other


def _count(live: Live) -> int:
    return sum(int(np.count_nonzero(mask)) for mask in live.values())


def _keys(name: str, mask: NDArray[np.bool_]) -> list[str]:
    return [layout.lexical_key(name, row) for row in np.flatnonzero(mask).tolist()]


def _documents(root: Path, shards: Sequence[ShardEntry], added: Live) -> Iterator[tuple[str, Chunk]]:
    for entry in shards:
        mask = added[entry.name]
        if mask.any():
            with open_entry(root, entry) as shard:
                for row, chunk in enumerate(shard.iter_chunks()):
                    if mask[row]:
                        yield layout.lexical_key(entry.name, row), chunk


def _entry(root: Path, path: Path, known: FileEntry | None) -> FileEntry:
    """A linked file is the file that was verified; it need not be read again."""
    if known is not None and path.samefile(root / known.name):
        return dataclasses.replace(known, name=path.relative_to(root).as_posix())
    return describe(root, path)
