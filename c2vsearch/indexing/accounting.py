"""What becomes of each file: what need not be read, what was read, and what had only moved or was there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from c2vsearch.collection import SourceState
from c2vsearch.collection.roots import Root, root_of
from c2vsearch.config import ReadingConfig
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.reading import CutFile
from c2vsearch.ingest import NEEDS_EXTRA
from c2vsearch.ingest.limits import overdue, overgrown
from c2vsearch.optional import installed
from c2vsearch.records import FileReport, SourceFile

# Reasons that lie outside the file: it is tried again though it has not changed.
_PASSING = frozenset({"permission", "unreadable", "vanished", "not-regular"})


def triage(
    files: Iterable[SourceFile], *, sources: Mapping[str, SourceState], reading: ReadingConfig, reread: bool
) -> tuple[list[SourceFile], list[FileReport]]:
    """The files to read, and a report for each that has the size and time it had.

    What could not be read then is not tried again, unless the reason may have passed, the package that was missing
    was installed since, or the limit that stopped it is another one now. What inside an unchanged file could not be
    read is reported again.

    >>> known = SourceState("a.md", 10, 5, "hash", chunks=1)
    >>> same, touched = SourceFile("a.md", "/a.md", 10, 5), SourceFile("a.md", "/a.md", 10, 6)
    >>> triage([same], sources={"a.md": known}, reading=ReadingConfig(), reread=False)[1]
    [FileReport(source='a.md', status='unchanged', reason='', detail='', chunks=1, member='')]
    >>> triage([touched], sources={"a.md": known}, reading=ReadingConfig(), reread=False)[0] == [touched]
    True
    """
    changed, reports = [], []
    for file in files:
        known = None if reread else sources.get(file.source)
        if known is None or (known.size_bytes, known.mtime_ns) != (file.size_bytes, file.mtime_ns):
            changed.append(file)
        elif worth_another_try(known, reading):
            changed.append(file)
        else:
            same = [FileReport(file.source, "unchanged", chunks=known.chunks)] if known.status == "indexed" else []
            reports += [*same, *known.reports()]
    return changed, reports


def worth_another_try(known: SourceState, reading: ReadingConfig) -> bool:
    """Whether what could not be read of a file may be readable now, though the file is the same.

    >>> late = SourceState("a.pdf", 0, 5, status="failed", reason="timeout", detail=str(overdue(0, ReadingConfig())))
    >>> worth_another_try(late, ReadingConfig()), worth_another_try(late, ReadingConfig(timeout_seconds=90))
    (False, True)
    """
    stopped = {"timeout": overdue(known.size_bytes, reading), "out-of-memory": overgrown(reading)}
    return any(
        not report.detail.startswith(str(stopped[report.reason]))
        if report.reason in stopped
        else _may_have_passed(report.reason)
        for report in known.reports()
    )


def _may_have_passed(reason: str) -> bool:
    kind, _, extra = reason.partition(":")
    return reason in _PASSING or (kind == NEEDS_EXTRA and installed(extra))


def verdict(cut: CutFile, known: SourceState | None) -> FileReport:
    """How a file that was read stands, given how it stood."""
    indexed = known is not None and known.status == "indexed"
    if cut.report is None:
        return FileReport(cut.file.source, "updated" if indexed else "added", chunks=len(cut.chunks))
    if cut.report.status == "unchanged" and known is not None:
        return dataclasses.replace(cut.report, chunks=known.chunks)
    return cut.report


def state_of(cut: CutFile, report: FileReport) -> SourceState:
    """What the index keeps of a file."""
    file = cut.file
    if report.status in {"added", "updated", "unchanged"}:
        first = cut.documents[0]
        return SourceState(
            file.source, file.size_bytes, file.mtime_ns, first.content_hash, first.id, "indexed",
            chunks=report.chunks, documents=len(cut.documents), refused=tuple(cut.refused),
        )  # fmt: skip
    return SourceState(
        file.source, file.size_bytes, file.mtime_ns, status=report.status, reason=report.reason, detail=report.detail,
        refused=tuple(cut.refused),
    )  # fmt: skip


def hints(reports: Iterable[FileReport]) -> tuple[str, ...]:
    """The lines that install the packages that were missing, each once."""
    return tuple(dict.fromkeys(report.detail for report in reports if report.reason.partition(":")[0] == NEEDS_EXTRA))


def gone(sources: Iterable[str], part: Part, roots: Sequence[Root]) -> list[str]:
    """Known sources of a root that the walk did not find; what lies below what could not be listed may be there."""
    if part.missing:
        return []
    seen = {entry.source for entry in part.entries}
    unlisted = tuple(
        entry.source for entry in part.entries if isinstance(entry, FileReport) and entry.source.endswith("/")
    )
    candidates = (source for source in sources if source not in seen and not source.startswith(unlisted or ("\0",)))
    return [source for source in candidates if (root := root_of(roots, source)) and root.path == part.root.path]


def missing_root(part: Part) -> FileReport:
    """What is said of a root that is not there."""
    detail = "there is nothing at this place now; what the index has of it was kept"
    return FileReport(part.root.path, "failed", "root-missing", detail)


def settled(
    reports: Sequence[FileReport], *, before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> tuple[FileReport, ...]:
    """The reports of a run in order of their source, each file in one state.

    A file that was added with the bytes of one that is gone has "moved", and the old name is told in its detail, not
    in a report of its own. One with the bytes of a file that is there is a "duplicate": it can be found under both
    names, and nothing was embedded for it.

    >>> old, new = SourceState("a.md", 1, 1, "hash"), SourceState("b.md", 1, 2, "hash")
    >>> reports = [FileReport("b.md", "added", chunks=1), FileReport("a.md", "deleted", chunks=1)]
    >>> [(report.status, report.detail) for report in settled(reports, before={"a.md": old}, after={"b.md": new})]
    [('moved', 'from a.md')]
    """
    left = _by_hash({report.source: before[report.source] for report in reports if report.status == "deleted"})
    added = {report.source for report in reports if report.status == "added"}
    there = _by_hash({source: state for source, state in after.items() if source not in added})
    moved: set[str] = set()
    result = []
    for report in sorted(reports, key=_place):
        digest = after[report.source].content_hash if report.status == "added" and not report.member else ""
        if digest and left.get(digest):
            name = left[digest].pop(0)
            moved.add(name)
            report = dataclasses.replace(report, status="moved", detail=f"from {name}")
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
