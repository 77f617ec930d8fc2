"""What is said of the files of a run, collected as it comes and told in order of their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter

from c2vsearch.collection import SourceState
from c2vsearch.indexing.twins import twins
from c2vsearch.ingest import NEEDS_EXTRA
from c2vsearch.packed import PackedSequence, PackedSorter
from c2vsearch.records import FileReport

_NAMES = [field.name for field in dataclasses.fields(FileReport)]
_FIELDS = attrgetter(*_NAMES)
_PLACE = itemgetter(_NAMES.index("source"), _NAMES.index("member"))


class Reports:
    """Reports in order of source and member, kept in a few bytes each."""

    def __init__(self) -> None:
        self._sorter = PackedSorter(key=_PLACE)
        self._hints: dict[str, None] = {}

    def add(self, *reports: FileReport) -> None:
        """Take in what is said of a file, or of things inside it."""
        for report in reports:
            self._sorter.append(_FIELDS(report))
            if report.reason.partition(":")[0] == NEEDS_EXTRA:
                self._hints[report.detail] = None

    @property
    def hints(self) -> tuple[str, ...]:
        """The lines that install the packages that were missing, each once."""
        return tuple(self._hints)

    def __len__(self) -> int:
        return len(self._sorter)

    def __iter__(self) -> Iterator[FileReport]:
        return (FileReport(*fields) for fields in self._sorter)


def settled(
    reports: Iterable[FileReport], *, before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> Sequence[FileReport]:
    """The reports of a run, each file in one state.

    A file that was added with the bytes of one that is gone has "moved", and the old name is told in its detail, not
    in a report of its own. One with the bytes of a file that is there is a "duplicate": it can be found under both
    names, and nothing was embedded for it.

    Args:
        reports: In order of their source; gone through several times.
        before: How each source stood before the run.
        after: How each stands.

    >>> old, new = SourceState("a.md", 1, 1, "hash"), SourceState("b.md", 1, 2, "hash")
    >>> reports = [FileReport("a.md", "deleted", chunks=1), FileReport("b.md", "added", chunks=1)]
    >>> [(report.status, report.detail) for report in settled(reports, before={"a.md": old}, after={"b.md": new})]
    [('moved', 'from a.md')]
    """
    found = twins(reports, before=before, after=after)
    told_of = set(found.moved.values())
    result = PackedSequence(FileReport)
    for report in reports:
        if report.status == "added" and not report.member:
            if report.source in found.moved:
                report = dataclasses.replace(report, status="moved", detail=f"from {found.moved[report.source]}")
            elif report.source in found.copies:
                detail = f"the same as {found.copies[report.source]}"
                report = dataclasses.replace(report, status="duplicate", detail=detail)
        if report.status != "deleted" or report.source not in told_of:
            result.append(report)
    return result
