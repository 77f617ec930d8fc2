"""Files taken out of an index stay out; a root goes with all of its files; the files themselves are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch.chunking import chunk_document
from c2vsearch.collection import Collection
from c2vsearch.collection.contents import chunks_of, lines_of, text_of
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.errors import InvalidConfig, SourceNotFound
from c2vsearch.indexing import index_directory
from c2vsearch.indexing.removal import remove_files, remove_root
from c2vsearch.records import Document


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write(tmp_path / "docs", {"a.md": "One.", "b [x]!.md": "Two.", "old/c.md": "Three.", "old/d.md": "Four."})


def sources(index: Path) -> set[str]:
    return {chunk.source for chunk in Collection.open(index).iter_chunks()}


def test_what_was_taken_out_stays_out(docs: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index_directory(docs, index=index, encoder="hash")
    assert remove_files(index, ["b [x]!.md", "old/"]) == ["b [x]!.md", "old/c.md", "old/d.md"]
    assert sources(index) == {"a.md"}
    assert (docs / "old/c.md").exists()
    write(docs, {"b x.md": "Another.", "old/e.md": "New."})
    assert index_directory([], index=index).counts == {"added": 2, "unchanged": 1}
    assert sources(index) == {"a.md", "b x.md", "old/e.md"}
    assert index_directory(docs, index=index, walking={"exclude": ()}).counts == {"added": 3, "unchanged": 3}
    with pytest.raises(SourceNotFound, match="no file that matches zebra"):
        remove_files(index, ["zebra"])


def test_a_root_goes_with_its_files(docs: Path, tmp_path: Path) -> None:
    index, more = tmp_path / "index", write(tmp_path / "more", {"a.md": "Five."})
    index_directory([docs, more], index=index, encoder="hash")
    with pytest.raises(InvalidConfig, match="no root of"):
        remove_root(index, tmp_path)
    assert remove_root(index, more) == ["more:a.md"]
    assert {name.partition(":")[0] for name in sources(index)} == {"docs"}
    assert index_directory([], index=index).counts == {"unchanged": 4}
    assert len(remove_root(index, "docs")) == 4
    assert sources(index) == set()


def test_a_single_file_goes_with_its_root(docs: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index_directory([docs / "a.md", docs / "old"], index=index, encoder="hash")
    assert remove_files(index, ["a.md:a.md"]) == ["a.md:a.md"]
    assert [Path(root.path).name for root in Collection.open(index).manifest.roots] == ["old"]


TEXT = (
    "# Top\n\n"
    + "".join(f"Sentence number {n} says something of its own. " for n in range(60))
    + "\n\n\n## Part\n\nEnd."
)


@pytest.mark.parametrize("overlap", [0, 8])
def test_a_text_is_put_together_from_its_chunks(overlap: int) -> None:
    settings = ChunkingConfig(max_tokens=32, overlap_tokens=overlap, context_tokens=0)
    document = Document(id="d", source="a.md", text=TEXT, kind="markdown")
    chunks = chunk_document(document, tokenizer=WordTokenizer(), config=settings)
    assert len(chunks) > 5
    text = text_of(chunks)
    assert text.split() == TEXT.split()
    assert [line.rstrip() for line in text.split("\n")] == [line.rstrip() for line in TEXT.rstrip().split("\n")]
    assert lines_of(chunks, 6, 8).split() == ["##", "Part", "End."]
    assert lines_of(chunks, 90, 99) == ""


def test_chunks_of_one_file_and_one_member(docs: Path, tmp_path: Path) -> None:
    write(docs, {"r.jsonl": '{"id": "x", "text": "Kelp."}\n{"id": "y", "text": "Salt."}\n'})
    index = tmp_path / "index"
    index_directory(docs, index=index, encoder="hash")
    collection = Collection.open(index)
    assert text_of(chunks_of(collection, "old/c.md")) == "Three."
    assert [chunk.member for chunk in chunks_of(collection, "r.jsonl")] == ["x", "y"]
    assert text_of(chunks_of(collection, "r.jsonl", "y")) == "Salt."
    assert chunks_of(collection, "zebra") == []
