"""What became of each file, once all of them were seen: some that were added had only moved, or were there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from c2vsearch.collection import SourceState
from c2vsearch.records import FileReport


def settled(
    reports: Sequence[FileReport], *, before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> tuple[FileReport, ...]:
    """The reports of a run in order of their source, each file in one state.

    A file that was added with the bytes of one that is gone has "moved", and the old name is told in its detail, not
    in a report of its own. One with the bytes of a file that is there is a "duplicate": it can be found under both
    names, and nothing was embedded for it.

    >>> gone, new = SourceState("a.md", 1, 1, "hash"), SourceState("b.md", 1, 2, "hash")
    >>> reports = [FileReport("b.md", "added", chunks=1), FileReport("a.md", "deleted", chunks=1)]
    >>> [(report.status, report.detail) for report in settled(reports, before={"a.md": gone}, after={"b.md": new})]
    [('moved', 'from a.md')]
    """
    gone = _by_hash({report.source: before[report.source] for report in reports if report.status == "deleted"})
    added = {report.source for report in reports if report.status == "added"}
    there = _by_hash({source: state for source, state in after.items() if source not in added})
    moved: set[str] = set()
    result = []
    for report in sorted(reports, key=_place):
        digest = after[report.source].content_hash if report.status == "added" and not report.member else ""
        if digest and gone.get(digest):
            old = gone[digest].pop(0)
            moved.add(old)
            report = dataclasses.replace(report, status="moved", detail=f"from {old}")
        elif digest and there.get(digest):
            report = dataclasses.replace(report, status="duplicate", detail=f"the same as {there[digest][0]}")
        if digest:
            there.setdefault(digest, []).append(report.source)
        result.append(report)
    return tuple(report for report in result if report.status != "deleted" or report.source not in moved)


def _place(report: FileReport) -> tuple[str, str]:
    return report.source, report.member


def _by_hash(states: Mapping[str, SourceState]) -> dict[str, list[str]]:
    """Names of indexed files by the hash of their bytes, in order."""
    found: dict[str, list[str]] = {}
    for source in sorted(states):
        state = states[source]
        if state.status == "indexed" and state.content_hash:
            found.setdefault(state.content_hash, []).append(source)
    return found
