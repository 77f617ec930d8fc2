"""Several directories in one index, each with the settings it was indexed with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from c2vsearch import Retriever
from c2vsearch.collection import Collection
from c2vsearch.config import ChunkingConfig, WalkConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import IndexNotFound, InvalidConfig, SourceNotFound
from c2vsearch.indexing import IndexingInterrupted, IndexReport, index_directory, plan_index

Files = dict[str, str]


def write(root: Path, files: Files) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return write(tmp_path / "notes", {"a.md": "The ferry leaves at nine.", "log.txt": "Nothing happened."})


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    return write(tmp_path / "papers", {"a.md": "Tides rise twice a day.", "deep/b.md": "Salt is heavy."})


def sync(*roots: Path, **settings: object) -> IndexReport:
    settings.setdefault("encoder", "hash")
    place = (roots[0].parent if roots else settings.pop("at")) / "index"  # type: ignore[operator]
    return index_directory(roots, index=place, **settings)  # type: ignore[arg-type]


def sources(root: Path) -> set[str]:
    return {chunk.source for chunk in Collection.open(root.parent / "index").iter_chunks()}


def test_two_at_once_are_told_apart_by_name(notes: Path, papers: Path) -> None:
    report = sync(notes, papers)
    assert (report.counts, report.roots) == ({"added": 4}, (notes, papers))
    assert sources(notes) == {"notes:a.md", "notes:log.txt", "papers:a.md", "papers:deep/b.md"}
    hit = Retriever.open(notes.parent / "index").search("salt", mode="bm25")[0]
    assert (hit.source, hit.file) == ("papers:deep/b.md", str(papers / "deep/b.md"))


def test_a_root_that_comes_later_leaves_the_first_as_it_was(notes: Path, papers: Path) -> None:
    sync(notes)
    with pytest.raises(InvalidConfig, match=r"is the index of .*notes; expected .*papers to be one of them: .* --add"):
        sync(papers)
    report = sync(papers, add=True)
    assert (report.counts, report.encoded) == ({"added": 2}, 2)
    assert sources(notes) == {"a.md", "log.txt", "papers:a.md", "papers:deep/b.md"}


def test_a_run_over_one_root_leaves_the_others_alone(notes: Path, papers: Path) -> None:
    sync(notes, papers)
    (notes / "a.md").unlink()
    (papers / "a.md").unlink()
    assert sync(papers).counts == {"deleted": 1, "unchanged": 1}
    assert sources(notes) == {"notes:a.md", "notes:log.txt", "papers:deep/b.md"}
    assert sync(at=notes.parent).counts == {"deleted": 1, "unchanged": 2}


def test_a_file_that_goes_from_one_root_to_another_has_moved(notes: Path, papers: Path) -> None:
    sync(notes, papers)
    shutil.move(notes / "a.md", papers / "c.md")
    report = sync(at=notes.parent)
    assert (report.counts, report.encoded) == ({"moved": 1, "unchanged": 3}, 0)


def test_two_directories_of_one_name(tmp_path: Path) -> None:
    first, second = write(tmp_path / "x/docs", {"a.md": "One."}), write(tmp_path / "y/docs", {"a.md": "Two."})
    index_directory([first, second], index=tmp_path / "index", encoder="hash")
    assert sources(first.parent) == {"docs:a.md", "docs-2:a.md"}


def test_a_root_in_another_is_refused(notes: Path) -> None:
    write(notes, {"sub/c.md": "C."})
    with pytest.raises(InvalidConfig, match="notes/sub lies in .*notes; expected"):
        sync(notes, notes / "sub")
    sync(notes)
    with pytest.raises(InvalidConfig, match="notes/sub lies in"):
        index_directory(notes / "sub", index=notes.parent / "index", encoder="hash", add=True)


def test_a_root_that_is_away_keeps_its_rows_and_is_told(notes: Path, papers: Path) -> None:
    sync(notes, papers)
    shutil.move(papers, papers.parent / "away")
    report = sync(at=notes.parent)
    assert report.counts == {"failed: root-missing": 1, "unchanged": 2}
    assert len(sources(notes)) == 4
    with pytest.raises(SourceNotFound, match="papers"):
        sync(papers)


def test_no_root_needs_an_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="build one with"):
        sync(at=tmp_path)
    with pytest.raises(InvalidConfig, match="0 directories and no index"):
        index_directory([], encoder="hash")


def test_settings_hold_until_others_are_given(notes: Path) -> None:
    assert sync(notes, walking={"include": ("*.md",)}).counts == {"added": 1}
    assert sync(notes).counts == {"unchanged": 1}
    write(notes, {".hidden.md": "Hidden words.", "c.md": "x" * 100})
    assert sync(notes, walking={"hidden": True, "max_file_bytes": 50}).counts == {
        "added": 1, "skipped: too-large": 1, "unchanged": 1,
    }  # fmt: skip
    assert Collection.open(notes.parent / "index").manifest.roots[0].walking == WalkConfig(
        include=("*.md",), hidden=True, max_file_bytes=50
    )
    assert sync(notes, walking=WalkConfig()).counts == {"added": 2, "deleted": 1, "unchanged": 1}
    with pytest.raises(InvalidConfig, match="no setting 'hiden'; expected one of hidden, "):
        sync(notes, walking={"hiden": True})


def test_the_model_and_its_width_hold_as_well(notes: Path) -> None:
    sync(notes, encoder=HashEncoder(dim=32))
    write(notes, {"c.md": "Third."})
    report = index_directory(notes, index=notes.parent / "index")
    assert report.counts == {"added": 1, "unchanged": 2}
    assert Collection.open(notes.parent / "index").manifest.fingerprint.dim == 32


def test_chunk_sizes_hold_and_a_change_is_for_all_roots(notes: Path, papers: Path) -> None:
    small = ChunkingConfig.sized(32)
    sync(notes, papers, chunking=small)
    assert sync(notes).counts == {"unchanged": 2}
    report = sync(notes, chunking=ChunkingConfig.sized(64))
    assert report.settings_changed.startswith("max_tokens 32 -> 64")
    assert report.counts == {"unchanged": 4} or report.counts == {"updated": 4}
    assert {file.source.split(":")[0] for file in report.files} == {"notes", "papers"}


def test_how_records_are_read_is_of_one_root(notes: Path, papers: Path) -> None:
    records = '{"body": "Kelp grows.", "text": "Other."}\n'
    write(notes, {"r.jsonl": records})
    write(papers, {"r.jsonl": records})
    sync(notes, papers)
    report = sync(notes, reading={"text_field": "body"})
    assert "reading" in report.settings_changed
    assert {file.source for file in report.files} == {"notes:a.md", "notes:log.txt", "notes:r.jsonl"}
    texts = {chunk.source: chunk.text for chunk in Collection.open(notes.parent / "index").iter_chunks()}
    assert (texts["notes:r.jsonl"], texts["papers:r.jsonl"]) == ("Kelp grows.", "Other.")
    assert sync(at=notes.parent).counts == {"unchanged": 6}


def test_annotations_are_recorded_and_can_be_forgotten(notes: Path, papers: Path) -> None:
    table = papers.parent / "m.csv"
    table.write_text("path,team\na.md,sea\n")
    sync(notes, papers, metadata=table)
    sync(at=notes.parent)
    hits = Retriever.open(notes.parent / "index").search("ferry tides", mode="bm25")
    assert {hit.source: hit.metadata for hit in hits} == {"notes:a.md": {"team": "sea"}, "papers:a.md": {"team": "sea"}}
    sync(notes, metadata="")
    hits = Retriever.open(notes.parent / "index").search("ferry tides", mode="bm25")
    assert {hit.source: hit.metadata for hit in hits} == {"notes:a.md": {}, "papers:a.md": {"team": "sea"}}


def test_a_plan_of_several_roots_is_what_the_run_does(notes: Path, papers: Path) -> None:
    place = notes.parent / "index"
    plan = plan_index([notes, papers], index=place, encoder="hash")
    report = sync(notes, papers)
    assert (plan.files, plan.roots, plan.chunks) == (report.files, report.roots, report.chunks)
    write(papers, {"new.md": "New."})
    (notes / "a.md").unlink()
    plan = plan_index([], index=place)
    report = sync(at=notes.parent)
    assert (plan.files, plan.chunks) == (report.files, report.chunks)


class Stopping(HashEncoder):
    def encode_documents(self, texts):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt


def test_new_settings_are_not_recorded_until_everything_was_done_with_them(notes: Path) -> None:
    sync(notes, encoder=HashEncoder(dim=16), chunking=ChunkingConfig.sized(32))
    write(notes, {"a.md": "Another ferry."})
    with pytest.raises(IndexingInterrupted):
        sync(notes, encoder=Stopping(dim=16), chunking=ChunkingConfig.sized(64))
    assert Collection.open(notes.parent / "index").manifest.chunking.max_tokens == 32
    report = sync(notes, chunking=ChunkingConfig.sized(64))
    assert report.settings_changed.startswith("max_tokens 32 -> 64")
