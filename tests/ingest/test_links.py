"""Symbolic links, followed only when asked for, and never round in circles."""

from __future__ import annotations

from pathlib import Path

from c2vsearch.config import WalkConfig
from c2vsearch.ingest import read_file, walk
from c2vsearch.records import Document, FileReport, SourceFile


def tree(tmp_path: Path) -> Path:
    """A root with links to a file and a directory outside, to itself, to its parent, and to nothing."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "deep").mkdir(parents=True)
    (root / "own").mkdir(parents=True)
    (outside / "deep" / "far.md").write_text("far")
    (outside / "note.md").write_text("note")
    (root / "own" / "near.md").write_text("near")
    (root / "again").symlink_to(root / "own")
    (root / "b").symlink_to(outside)
    (root / "c").symlink_to(outside)
    (root / "file.md").symlink_to(outside / "note.md")
    (root / "gone.md").symlink_to(tmp_path / "nothing")
    (root / "own" / "up").symlink_to("..")
    (outside / "round").symlink_to(outside)
    return root


def split(root: Path, *, follow: bool) -> tuple[list[str], dict[str, str]]:
    entries = list(walk(root, config=WalkConfig(follow_symlinks=follow)))
    files = [entry.source for entry in entries if isinstance(entry, SourceFile)]
    return files, {entry.source: entry.reason for entry in entries if isinstance(entry, FileReport)}


def test_links_are_left_alone_and_said_to_be(tmp_path: Path) -> None:
    files, refused = split(tree(tmp_path), follow=False)
    assert files == ["own/near.md"]
    assert refused == dict.fromkeys(["again", "b", "c", "file.md", "gone.md", "own/up"], "symlink")


def test_followed_links_end(tmp_path: Path) -> None:
    files, refused = split(tree(tmp_path), follow=True)
    assert files == ["b/deep/far.md", "b/note.md", "file.md", "own/near.md"]
    assert refused == {
        "again": "symlink", "b/round": "symlink", "c": "symlink", "gone.md": "vanished", "own/up": "symlink",
    }  # fmt: skip


def test_a_followed_file_is_read(tmp_path: Path) -> None:
    entries = walk(tree(tmp_path), config=WalkConfig(follow_symlinks=True))
    [file] = [entry for entry in entries if isinstance(entry, SourceFile) and entry.source == "file.md"]
    [document] = read_file(file)
    assert isinstance(document, Document)
    assert (document.source, document.text) == ("file.md", "note")
