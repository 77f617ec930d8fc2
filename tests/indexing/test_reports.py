"""How the reports of a run are told, against a twin that keeps all of them and all hashes as objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch import packed
from c2vsearch.collection import SourceState
from c2vsearch.indexing import twins
from c2vsearch.indexing.reports import Reports, settled
from c2vsearch.records import FileReport

NAMES = ["a", "a.md", "a/b", "a%", "a\udce9", "b", "c", "\U00010000"]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PAGE_RECORDS", 2)
    monkeypatch.setattr(packed, "RUN_RECORDS", 4)


def slow_settled(
    reports: Sequence[FileReport], before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> list[FileReport]:
    left = by_hash({report.source: before[report.source] for report in reports if report.status == "deleted"})
    added = {report.source for report in reports if report.status == "added"}
    there = by_hash({source: state for source, state in after.items() if source not in added})
    moved: set[str] = set()
    result = []
    for report in sorted(reports, key=lambda report: (report.source, report.member)):
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
    return [report for report in result if report.status != "deleted" or report.source not in moved]


def by_hash(states: Mapping[str, SourceState]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source in sorted(states):
        if states[source].status == "indexed" and states[source].content_hash:
            found.setdefault(states[source].content_hash, []).append(source)
    return found


def states() -> st.SearchStrategy[dict[str, SourceState]]:
    """Some of the names, with few different contents."""
    state = st.builds(
        lambda digest, status: SourceState("", 1, 1, digest, status=status),
        st.sampled_from(["", "x", "y"]), st.sampled_from(["indexed", "indexed", "skipped"]),
    )  # fmt: skip
    listed = st.dictionaries(st.sampled_from(NAMES), state)
    return listed.map(lambda found: {name: dataclasses.replace(one, source=name) for name, one in found.items()})


def told(before: Mapping[str, SourceState], after: Mapping[str, SourceState]) -> list[FileReport]:
    """What a run would say of them."""
    reports = []
    for name, state in after.items():
        if state.status != "indexed":
            reports.append(FileReport(name, "skipped", "binary", "it has NUL"))
        elif name in before and before[name].status == "indexed":
            same = before[name].content_hash == state.content_hash
            reports.append(FileReport(name, "unchanged" if same else "updated", chunks=2))
        else:
            reports.append(FileReport(name, "added", chunks=2))
        reports.append(FileReport(name, "failed", "broken", member="inside"))
    gone = [name for name, state in before.items() if name not in after and state.status == "indexed"]
    return reports + [FileReport(name, "deleted", chunks=1) for name in gone]


def collected(reports: Sequence[FileReport]) -> Reports:
    made = Reports()
    made.add(*reports)
    return made


@settings(deadline=None)
@given(states(), states(), st.randoms())
def test_each_file_ends_as_in_the_twin(
    before: dict[str, SourceState], after: dict[str, SourceState], chance: object
) -> None:
    reports = told(before, after)
    chance.shuffle(reports)  # type: ignore[attr-defined]
    expected = slow_settled(reports, before, after)
    assert list(settled(collected(reports), before=before, after=after)) == expected


@settings(deadline=None)
@given(states(), states())
def test_hashes_that_meet_change_nothing(before: dict[str, SourceState], after: dict[str, SourceState]) -> None:
    """The 64-bit keys only choose what is compared in full."""
    reports = told(before, after)
    expected = slow_settled(reports, before, after)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(twins, "hash", lambda _: 7, raising=False)
        assert list(settled(collected(reports), before=before, after=after)) == expected


def test_hints_are_told_once_in_the_order_they_came() -> None:
    reports = Reports()
    reports.add(FileReport("b", "skipped", "needs-extra:pdf", "install pdf"))
    reports.add(
        FileReport("c", "skipped", "binary", "NUL"), FileReport("a", "skipped", "needs-extra:code", "install code")
    )
    reports.add(FileReport("d", "skipped", "needs-extra:pdf", "install pdf"))
    assert reports.hints == ("install pdf", "install code")
    assert [report.source for report in reports] == ["a", "b", "c", "d"]
    assert len(reports) == 4
