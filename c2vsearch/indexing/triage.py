"""Which files of a root have to be read: of all others is said how they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress

from c2vsearch.indexing.accounting import unchanged
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.reports import Reports
from c2vsearch.indexing.sightings import Sightings
from c2vsearch.records import SourceFile


@dataclass(slots=True)
class Triage:
    """A byte for each file of a part, whether it is to be read; how much that is, and the chunks of the others."""

    part: Part
    to_read: bytearray = field(default_factory=bytearray)
    size_bytes: int = 0
    chunks: int = 0

    def files(self) -> Iterator[SourceFile]:
        """The files to read."""
        return compress(self.part.files, self.to_read)


def triage(part: Part, *, sightings: Sightings, reports: Reports, reread: bool) -> Triage:
    """Look at every file of a part, without opening one.

    Args:
        part: The root.
        sightings: Is told of each file.
        reports: Is told of each that need not be read.
        reread: Whether all of them have to be.
    """
    found = Triage(part)
    for file in part.files:
        known = sightings.see(file.source)
        told = None if reread else unchanged(file, known, part.root.reading)
        found.to_read.append(told is None)
        if told is None:
            found.size_bytes += file.size_bytes
        else:
            reports.add(*told)
            found.chunks += sum(report.chunks for report in told)
    return found
