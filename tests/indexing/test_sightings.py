"""What the walk did not find, against sets of names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.collection import SourceState
from c2vsearch.collection.roots import Root
from c2vsearch.collection.sources import SourceTable, stored_name, write_sources
from c2vsearch.indexing.part import Part
from c2vsearch.indexing.sightings import Sightings
from c2vsearch.records import FileReport, SourceFile

NOTES, PAPERS = Root(path="/notes"), Root(path="/papers", label="papers")
NAMES = ["a.md", "d/a.md", "d/b%.md", "d.md", "papers:a.pdf", "papers:d/a.pdf", "\udce9"]


def part(root: Root, files: list[str], refused: list[str], *, missing: bool = False) -> Part:
    return Part(
        root=root, files=[SourceFile(name, f"/{name}", 1, 1) for name in files],
        refused=[FileReport(name, "failed", "permission") for name in refused], missing=missing,
    )  # fmt: skip


@settings(deadline=None)
@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(["d/", "a.md"])))
def test_what_is_gone(
    tmp_path_factory: pytest.TempPathFactory, known: set[str], found: set[str], refused: set[str]
) -> None:
    states = sorted((SourceState(name, 1, 1, chunks=1) for name in known), key=stored_name)
    sightings = Sightings(SourceTable(write_sources(tmp_path_factory.mktemp("sources"), states)))
    for name in found | refused:
        seen = sightings.see(name)
        assert (seen.source if seen else None) == (name if name in known else None)
    unseen = known - found - refused
    of_papers = {name for name in unseen if name.startswith("papers:")}
    of_notes = {name for name in unseen - of_papers if not ("d/" in refused and name.startswith("d/"))}
    roots = (NOTES, PAPERS)
    gone = {
        root.path: [state.source for state in sightings.gone(part(root, [], list(refused)), roots)] for root in roots
    }
    assert gone == {
        "/notes": sorted(of_notes, key=lambda n: stored_name(SourceState(n, 1, 1))),
        "/papers": sorted(of_papers),
    }
    assert list(sightings.gone(part(NOTES, [], [], missing=True), roots)) == []
