"""The path of `index`: a sync that embeds only what changed, counts every file once, and survives being stopped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.collection import Collection
from c2vsearch.config import ChunkingConfig, IndexingConfig, WalkConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import EncoderMismatch, InvalidConfig, SourceNotFound
from c2vsearch.indexing import IndexingInterrupted, IndexReport


class Counting(HashEncoder):
    """Counts what it encodes; can be told to stop in the middle."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        super().__init__(dim=16)
        self.encoded: list[str] = []
        self.stop_after = stop_after

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        if self.stop_after is not None and len(self.encoded) + len(texts) > self.stop_after:
            raise KeyboardInterrupt
        self.encoded += texts
        return super().encode_documents(texts)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write(tmp_path / "docs", {f"{n}.md": f"# Note {n}\n\nThe note number {n} says word{n}." for n in range(6)})


def sync(docs: Path, encoder: HashEncoder | None = None, **settings: object) -> IndexReport:
    return index_directory(docs, index=docs.parent / "index", encoder=encoder or Counting(), **settings)  # type: ignore[arg-type]


def sources(docs: Path) -> set[str]:
    return {chunk.source for chunk in Collection.open(docs.parent / "index").iter_chunks()}


def test_everything_is_counted_once(docs: Path) -> None:
    write(docs, {"data.json": "{}", "empty.txt": " "})
    (docs / "link").symlink_to("0.md")
    report = sync(docs)
    assert report.counts == {"added": 6, "empty": 1, "skipped: no-text-field": 1, "skipped: symlink": 1}
    assert len({file.source for file in report.files}) == len(report.files) == sum(report.counts.values()) == 9
    assert report.chunks == report.encoded == 6
    assert sum(file.chunks for file in report.files) == 6


def test_only_what_changed_is_embedded(docs: Path) -> None:
    sync(docs)
    encoder = Counting()
    report = sync(docs, encoder)
    assert (report.counts, report.version, encoder.encoded) == ({"unchanged": 6}, 1, [])
    write(docs, {"2.md": "# Note 2\n\nAnother text.", "new.md": "Something new."})
    (docs / "5.md").unlink()
    os.utime(docs / "0.md")  # touched, not changed
    report = sync(docs, encoder)
    assert report.counts == {"added": 1, "deleted": 1, "unchanged": 4, "updated": 1}
    assert len(encoder.encoded) == 2
    assert sources(docs) == {"0.md", "1.md", "2.md", "3.md", "4.md", "new.md"}
    hits = Retriever.open(docs.parent / "index", encoder=encoder).search("word2 word5", k=20, mode="bm25")
    assert hits == []


def test_an_edited_paragraph_embeds_one_chunk(tmp_path: Path) -> None:
    parts = [f"## Part {n}\n\n" + f"Sentence {n} is here. " * 20 for n in range(8)]
    docs = write(tmp_path / "docs", {"a.md": "\n\n".join(parts)})
    settings = ChunkingConfig(max_tokens=130, overlap_tokens=0)
    sync(docs, chunking=settings)
    parts[3] += " And one more."
    write(docs, {"a.md": "\n\n".join(parts)})
    encoder = Counting()
    report = sync(docs, encoder, chunking=settings)
    assert (report.encoded, report.reused) == (1, 7)


def test_a_renamed_file_keeps_its_embeddings(docs: Path) -> None:
    sync(docs)
    (docs / "0.md").rename(docs / "renamed.md")
    encoder = Counting()
    report = sync(docs, encoder)
    assert report.counts == {"moved": 1, "unchanged": 5}
    assert [(file.source, file.detail) for file in report.files if file.status == "moved"] == [
        ("renamed.md", "from 0.md")
    ]
    assert encoder.encoded == []
    assert "renamed.md" in sources(docs)


def test_a_copy_is_said_to_be_one_and_found_under_both_names(docs: Path) -> None:
    write(docs, {"a/0.md": (docs / "0.md").read_text(), "z/0.md": (docs / "0.md").read_text()})
    encoder = Counting()
    report = sync(docs, encoder)
    details = {file.source: file.detail for file in report.files if file.status == "duplicate"}
    assert details == {"a/0.md": "the same as 0.md", "z/0.md": "the same as 0.md"}
    assert report.counts == {"added": 6, "duplicate": 2}
    assert len(encoder.encoded) == 6
    assert {"0.md", "a/0.md", "z/0.md"} <= sources(docs)
    (docs / "0.md").unlink()
    (docs / "a" / "0.md").rename(docs / "b.md")
    report = sync(docs, encoder)
    assert report.counts == {"deleted": 1, "moved": 1, "unchanged": 6}
    assert len(encoder.encoded) == 6
    assert sync(docs).counts == {"unchanged": 7}


def test_stopped_in_the_middle_it_keeps_what_is_finished(docs: Path) -> None:
    write(docs, {f"more{n:03}.md": f"# More {n}\n\nText of more {n}." for n in range(200)})
    first = Counting(stop_after=150)
    with pytest.raises(IndexingInterrupted) as caught:
        sync(docs, first)
    report = caught.value.report
    done = {file.source for file in report.files if file.status == "added"}
    assert 0 < len(done) < 206
    assert sources(docs) == done
    second = Counting()
    report = sync(docs, second)
    assert report.counts == {"added": 206 - len(done), "unchanged": len(done)}
    assert len(first.encoded) + len(second.encoded) == 206
    assert len(sources(docs)) == 206


def test_stopped_while_syncing_it_forgets_nothing(docs: Path) -> None:
    sync(docs)
    write(docs, {f"{n}.md": f"# Changed {n}\n\nNew text." for n in range(6)})
    with pytest.raises(IndexingInterrupted):
        sync(docs, Counting(stop_after=0))
    assert sources(docs) == {f"{n}.md" for n in range(6)}


def test_an_error_in_the_reading_thread_arrives(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("a bug in a reader")

    monkeypatch.setattr("c2vsearch.indexing.reading.chunk_document", broken)
    with pytest.raises(RuntimeError, match="a bug in a reader"):
        sync(docs)


def test_a_file_that_cannot_be_read_any_more_goes(docs: Path) -> None:
    sync(docs)
    (docs / "1.md").write_bytes(b"\x00\x01\x02" * 50)
    report = sync(docs)
    assert report.counts == {"skipped: binary": 1, "unchanged": 5}
    assert "1.md" not in sources(docs)
    write(docs, {"1.md": "readable again"})
    assert sync(docs).counts == {"added": 1, "unchanged": 5}


def test_a_directory_that_cannot_be_listed_keeps_its_files(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docs, {"sub/a.md": "below"})
    sync(docs)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = sync(docs)
    assert report.counts == {"failed: permission": 1, "unchanged": 6}
    assert "sub/a.md" in sources(docs)


def test_changed_settings_are_said_and_done(docs: Path) -> None:
    sync(docs)
    report = sync(docs, chunking=ChunkingConfig(max_tokens=128))
    assert report.settings_changed == "max_tokens 256 -> 128"
    assert report.counts == {"updated": 6}
    assert report.reused == 6  # the chunks came out the same


def test_a_missing_extra_is_a_counted_skip_with_one_hint(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.ingest.workers.MODULE", "tests.ingest.worker_without_pdf")
    for name in ("a.pdf", "b.pdf"):
        (docs / name).write_bytes(b"%PDF-1.4 ...")
    report = sync(docs)
    assert report.counts["skipped: needs-extra:pdf"] == 2
    assert len(report.hints) == 1
    assert "pip install 'c2vsearch[pdf]'" in report.hints[0]


def test_refusals(docs: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound):
        index_directory(tmp_path / "nowhere", index=tmp_path / "index", encoder="hash")
    assert not (tmp_path / "index").exists()
    sync(docs)
    with pytest.raises(EncoderMismatch, match="--rebuild"):
        index_directory(docs, index=tmp_path / "index", encoder=HashEncoder(dim=8))
    other = write(tmp_path / "other", {"x.md": "x"})
    with pytest.raises(InvalidConfig, match="is the index of"):
        index_directory(other, index=tmp_path / "index", encoder=Counting())
    with pytest.raises(InvalidConfig, match="reads at most 100"):
        index_directory(docs, index=tmp_path / "i2", encoder=HashEncoder(max_tokens=100), chunking=ChunkingConfig())


def test_rebuild_starts_again(docs: Path) -> None:
    sync(docs)
    report = sync(docs, HashEncoder(dim=8), rebuild=True)
    assert report.counts == {"added": 6}
    assert Collection.open(docs.parent / "index").manifest.fingerprint.dim == 8


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "one file", "b.md": "another"})
    report = index_directory(tmp_path / "a.md", index=tmp_path / "index", encoder="hash")
    assert report.counts == {"added": 1}


def test_the_default_place_and_an_index_inside_the_root(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(docs)
    report = index_directory(docs, encoder="hash")
    assert report.index == Path("indexes/docs")
    assert index_directory(docs, encoder="hash").counts == {"unchanged": 6}


def test_many_small_batches_equal_one_run(tmp_path: Path) -> None:
    """Sizes of shards and the way there change nothing in what is found."""
    texts = {f"{n}.md": f"note {n} word{n % 7} " * (n % 5 + 1) for n in range(90)}
    docs = write(tmp_path / "docs", texts)
    sync(docs, indexing=IndexingConfig(rows_per_shard=3, merge_below_rows=5))
    whole = index_directory(docs, index=tmp_path / "whole", encoder=Counting())
    retrievers = [Retriever.open(tmp_path / name, encoder=Counting()) for name in ("index", "whole")]
    assert whole.chunks == 90
    for query in ("word3 note", "word5", "note 17"):
        for mode in ("dense", "bm25"):
            first, second = (retriever.search(query, k=90, mode=mode) for retriever in retrievers)  # type: ignore[arg-type]
            scores = [{hit.id: hit.score for hit in hits} for hits in (first, second)]
            assert scores[0].keys() == scores[1].keys()
            np.testing.assert_allclose(list(scores[0].values()), [scores[1][key] for key in scores[0]], atol=1e-4)


def test_the_walk_is_configured(docs: Path) -> None:
    report = sync(docs, walking=WalkConfig(include=("1.md",)))
    assert sources(docs) == {"1.md"}
    assert report.counts == {"added": 1}
    shutil.rmtree(docs)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"factory": "CAGRA32"}, "which a GPU builds"),
        ({"factory": "x"}, "no index of kind"),
        ({"target_recall": 2}, "expected more than 0"),
        ({"recall": 1}, "no setting 'recall'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_is_read(
    docs: Path, spec: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidConfig, match=told):
        sync(docs, spec=spec)
    assert not (docs.parent / "index").exists()
