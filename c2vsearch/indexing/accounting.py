"""What becomes of each file: what need not be read, and how what was read stands."""

from __future__ import annotations

import dataclasses

from c2vsearch.collection import SourceState
from c2vsearch.config import ReadingConfig
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.reading import CutFile
from c2vsearch.ingest import NEEDS_EXTRA
from c2vsearch.ingest.limits import overdue, overgrown
from c2vsearch.optional import installed
from c2vsearch.records import FileReport, SourceFile

# Reasons that lie outside the file: it is tried again though it has not changed.
_PASSING = frozenset({"permission", "unreadable", "vanished", "not-regular"})


def unchanged(file: SourceFile, known: SourceState | None, reading: ReadingConfig) -> list[FileReport] | None:
    """What is said of a file that has the size and time it had; None when it has to be read.

    What could not be read then is not tried again, unless the reason may have passed, the package that was missing
    was installed since, or the limit that stopped it is another one now. What inside an unchanged file could not be
    read is reported again.

    >>> known = SourceState("a.md", 10, 5, "hash", chunks=1)
    >>> unchanged(SourceFile("a.md", "/a.md", 10, 5), known, ReadingConfig())
    [FileReport(source='a.md', status='unchanged', reason='', detail='', chunks=1, member='')]
    >>> unchanged(SourceFile("a.md", "/a.md", 10, 6), known, ReadingConfig()) is None
    True
    """
    if known is None or (known.size_bytes, known.mtime_ns) != (file.size_bytes, file.mtime_ns):
        return None
    if worth_another_try(known, reading):
        return None
    same = [FileReport(file.source, "unchanged", chunks=known.chunks)] if known.status == "indexed" else []
    return [*same, *known.reports()]


def worth_another_try(known: SourceState, reading: ReadingConfig) -> bool:
    """Whether what could not be read of a file may be readable now, though the file is the same.

    >>> late = SourceState("a.pdf", 0, 5, status="failed", reason="timeout", detail=str(overdue(0, ReadingConfig())))
    >>> worth_another_try(late, ReadingConfig()), worth_another_try(late, ReadingConfig(timeout_seconds=90))
    (False, True)
    """
    if not (reports := known.reports()):
        return False
    stopped = {"timeout": overdue(known.size_bytes, reading), "out-of-memory": overgrown(reading)}
    return any(
        not report.detail.startswith(str(stopped[report.reason]))
        if report.reason in stopped
        else _may_have_passed(report.reason)
        for report in reports
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


def missing_root(part: Part) -> FileReport:
    """What is said of a root that is not there."""
    detail = "there is nothing at this place now; what the index has of it was kept"
    return FileReport(part.root.path, "failed", "root-missing", detail)
