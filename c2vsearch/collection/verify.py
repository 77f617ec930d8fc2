"""Compare every byte of a version with what was recorded, and what its parts say of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from c2vsearch.collection import layout
from c2vsearch.errors import C2VSearchError, CorruptFile

if TYPE_CHECKING:
    from c2vsearch.collection.collection import Collection

MAX_TOLD = 10


def verify(collection: Collection) -> int:
    """Read every file; give their number.

    Raises:
        CorruptFile: Files are missing or damaged; the message names them.
    """
    entries = collection.manifest.files()
    damaged = {entry.name: problem for entry in entries if (problem := collection.damage(entry))}
    problems = list(damaged.values()) or _disagreements(collection)
    if problems:
        mendable = damaged and not any(map(layout.is_sole, damaged))
        mend = f"mend them with: c2vsearch verify --repair --index {collection.root}, " if mendable else ""
        more = [f"and {len(problems) - MAX_TOLD} more"] if len(problems) > MAX_TOLD else []
        told = "; ".join([*problems[:MAX_TOLD], *more])
        raise CorruptFile(f"{told}; {mend}restore the files, or build the index again with --rebuild")
    return len(entries)


def _disagreements(collection: Collection) -> list[str]:
    """Files that are whole, and do not fit together."""
    try:
        live = collection.stats().chunks
        by_source: dict[str, int] = {}
        for number, entry in enumerate(collection.manifest.shards):
            gone = collection.deletes.get(entry.name, set())
            for row, source in enumerate(collection.shard(number).column("source")):
                if row not in gone:
                    by_source[source] = by_source.get(source, 0) + 1
        recorded = {source: state.chunks for source, state in collection.sources.items() if state.chunks}
        documents = collection.manifest.lexical.documents if collection.manifest.lexical else 0
    except C2VSearchError as error:
        return [str(error)]
    found = []
    if documents != live:
        found.append(f"the keyword index has {documents} documents for {live} chunks")
    if by_source != recorded:
        name = min(source for source in by_source | recorded if by_source.get(source) != recorded.get(source))
        found.append(f"{name!r} has {by_source.get(name, 0)} chunks; {recorded.get(name, 0)} were recorded")
    return found
