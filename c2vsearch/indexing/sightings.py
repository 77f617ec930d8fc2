"""Which of the sources that an index has were seen by the walk: the others are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from c2vsearch.collection import SourceState
from c2vsearch.collection.roots import Root, root_of
from c2vsearch.collection.sources import SourceTable
from c2vsearch.indexing.part import Part


class Sightings:
    """A byte for each source of a version: whether it was seen.

    Args:
        sources: How each stood at that version.
    """

    def __init__(self, sources: SourceTable) -> None:
        self._sources = sources
        self._seen = bytearray(len(sources))

    def see(self, source: str) -> SourceState | None:
        """Note that the walk found a source; how it stood, None when it is new."""
        row = self._sources.row(source)
        if row is None:
            return None
        self._seen[row] = True
        return self._sources.state(row)

    def gone(self, part: Part, roots: Sequence[Root]) -> Iterator[SourceState]:
        """Known sources of a root that were not seen; what lies below what could not be listed may be there.

        Args:
            part: The root, all of whose entries were seen.
            roots: Those of the index, which say whose a source is.
        """
        unlisted = tuple(report.source for report in part.refused if report.source.endswith("/"))
        for state in () if part.missing else self._unseen():
            owner = root_of(roots, state.source)
            if owner and owner.path == part.root.path and not state.source.startswith(unlisted or ("\0",)):
                yield state

    def _unseen(self) -> Iterator[SourceState]:
        row = self._seen.find(False)
        while row >= 0:
            yield self._sources.state(row)
            row = self._seen.find(False, row + 1)
