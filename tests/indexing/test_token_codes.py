"""Codes of token states from files to shards: in the pass that makes the vectors, and kept as long as these are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2vsearch.collection import Collection
from c2vsearch.collection.maintenance import compact
from c2vsearch.config import IndexingConfig
from c2vsearch.embed import embed_chunks
from c2vsearch.encoder import Encoder, HashEncoder
from c2vsearch.encoder.protocol import TokenCoder, codec_identity
from c2vsearch.encoder.symmetric import SymmetricEncoder, for_task
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation import index_corpus
from c2vsearch.indexing import IndexingInterrupted, IndexReport, index_directory, plan_index
from c2vsearch.task import Task
from tests.coding import CodingEncoder, WordCodec, code_of

FIND = Task("", "find a ferry", symmetric=True)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for n in range(6):
        (tmp_path / "docs" / f"{n}.md").write_text(f"# Note {n}\n\nThe note number {n} says word{n}.")
    return tmp_path / "docs"


def sync(docs: Path, encoder: Encoder, **settings: object) -> IndexReport:
    return index_directory(docs, index=docs.parent / "index", encoder=encoder, **settings)  # type: ignore[arg-type]


def stored(docs: Path, *, codec: str = "words-1") -> dict[str, bool | None]:
    """Of each file, whether it has the codes of its text; None where it has none."""
    with Collection.open(docs.parent / "index") as collection:
        rows = list(collection.iter_rows())
        codes = collection.token_codes([row for row, _ in rows], codec=codec)
        return {
            chunk.source: None if code is None else code == code_of(chunk.embedded_text, identity=codec)
            for (_, chunk), code in zip(rows, codes, strict=True)
        }


def test_every_chunk_has_the_codes_of_what_was_embedded(docs: Path) -> None:
    encoder = CodingEncoder()
    report = sync(docs, encoder)
    assert stored(docs) == {f"{n}.md": True for n in range(6)}
    assert (report.encoded, len(encoder.coded), encoder.plain) == (6, 6, [])
    with Collection.open(docs.parent / "index") as collection:
        rows, chunks = zip(*collection.iter_rows(), strict=True)
        expected = HashEncoder(dim=16).encode_documents([chunk.embedded_text for chunk in chunks])
        np.testing.assert_array_equal(collection.vectors(rows), expected.astype(np.float16).astype(np.float32))


def test_none_are_stored_where_none_are_wanted_and_the_index_remembers(docs: Path) -> None:
    encoder = CodingEncoder()
    sync(docs, encoder, spec={"token_codes": False})
    assert stored(docs) == {f"{n}.md": None for n in range(6)}
    (docs / "new.md").write_text("Something new.")
    sync(docs, encoder)
    assert (stored(docs)["new.md"], encoder.coded, len(encoder.plain)) == (None, [], 7)
    (docs / "newer.md").write_text("Something newer.")
    report = sync(docs, encoder, spec={"token_codes": True})
    assert report.counts == {"added": 1, "unchanged": 7}
    assert {name for name, right in stored(docs).items() if right} == {"newer.md"}
    with pytest.raises(InvalidConfig, match="token_codes is 'yes'; expected True or False"):
        sync(docs, encoder, spec={"token_codes": "yes"})


def test_models_without_a_codec_store_none(docs: Path) -> None:
    plain = CodingEncoder(identity="")
    assert codec_identity(plain) == codec_identity(HashEncoder()) == ""
    sync(docs, plain)
    assert (len(plain.plain), plain.coded) == (6, [])
    with Collection.open(docs.parent / "index") as collection:
        assert {collection.shard(n).token_codec for n in range(len(collection.manifest.shards))} == {""}


def test_an_index_without_codes_goes_on_with_them(docs: Path) -> None:
    sync(docs, HashEncoder(dim=16))
    (docs / "3.md").write_text("# Note 3\n\nAnother text.")
    (docs / "4.md").rename(docs / "moved.md")
    encoder = CodingEncoder()
    assert sync(docs, encoder).encoded == 1
    names = ("0.md", "1.md", "2.md", "5.md", "moved.md")
    assert stored(docs) == {"3.md": True, **dict.fromkeys(names)}
    sync(docs, encoder, rebuild=True)
    assert set(stored(docs).values()) == {True}


def test_a_file_that_moves_or_is_copied_keeps_its_codes(docs: Path) -> None:
    sync(docs, CodingEncoder())
    (docs / "0.md").rename(docs / "moved.md")
    (docs / "copy.md").write_text((docs / "1.md").read_text())
    encoder = CodingEncoder()
    report = sync(docs, encoder)
    assert report.counts == {"duplicate": 1, "moved": 1, "unchanged": 5}
    assert (encoder.coded, encoder.plain) == ([], [])
    assert stored(docs) == {f"{name}.md": True for name in (1, 2, 3, 4, 5, "moved", "copy")}
    compact(docs.parent / "index")
    assert set(stored(docs).values()) == {True}


def test_another_codec_takes_none_of_the_old_codes(docs: Path) -> None:
    sync(docs, CodingEncoder())
    (docs / "0.md").rename(docs / "moved.md")
    (docs / "new.md").write_text("Something new.")
    sync(docs, CodingEncoder(identity="words-2"))
    assert {name for name, right in stored(docs, codec="words-2").items() if right} == {"new.md"}
    assert {name for name, right in stored(docs).items() if right} == {f"{n}.md" for n in range(1, 6)}


def test_codes_of_a_run_that_was_stopped_are_not_made_twice(docs: Path) -> None:
    for n in range(200):
        (docs / f"more{n:03}.md").write_text(f"# More {n}\n\nText of more {n}.")
    first, second = CodingEncoder(stop_after=150), CodingEncoder()
    with pytest.raises(IndexingInterrupted):
        sync(docs, first, indexing=IndexingConfig(rows_per_shard=16))
    assert first.coded
    sync(docs, second, indexing=IndexingConfig(rows_per_shard=16))
    assert len(stored(docs)) == 206
    assert set(stored(docs).values()) == {True}
    assert len(first.coded) + len(second.coded) == 206


def test_documents_behind_an_instruction_have_the_codes_of_the_text_alone(docs: Path) -> None:
    encoder = CodingEncoder()
    both = for_task(encoder, FIND)
    assert isinstance(both, SymmetricEncoder)
    assert isinstance(both, TokenCoder)
    assert both.token_codec is encoder.token_codec
    rows, codes = both.encode_documents_with_codes(["a ferry", "an island"])
    np.testing.assert_array_equal(rows, both.encode_documents(["a ferry", "an island"]))
    assert codes == [code_of("a ferry"), code_of("an island")]
    sync(docs, encoder, task=FIND)
    assert stored(docs) == {f"{n}.md": True for n in range(6)}
    assert codec_identity(for_task(CodingEncoder(identity=""), FIND)) == ""


def test_an_evaluation_set_is_stored_with_codes(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "1", "text": "a late ferry"}\n{"_id": "2", "text": "paid claims"}\n'
    )
    index_corpus(tmp_path / "corpus.jsonl", tmp_path / "index", encoder=CodingEncoder())
    assert stored(tmp_path / "docs") == {"1": True, "2": True}
    index_corpus(tmp_path / "corpus.jsonl", tmp_path / "index", encoder=HashEncoder(dim=16))
    assert stored(tmp_path / "docs") == {"1": None, "2": None}


def test_a_plan_counts_codes_where_they_will_be_stored(docs: Path) -> None:
    def planned(encoder: Encoder, **settings: object) -> int:
        plan = plan_index(docs, index=docs.parent / "index", encoder=encoder, **settings)  # type: ignore[arg-type]
        return plan.size_bytes

    tokens = plan_index(docs, index=docs.parent / "index", encoder="hash").tokens
    bare = planned(HashEncoder(dim=16))
    assert planned(CodingEncoder()) == bare + WordCodec.parts * tokens
    assert planned(CodingEncoder(), spec={"token_codes": False}) == bare
    assert planned(CodingEncoder(identity="")) == bare


def test_chunks_of_one_text_share_vector_and_codes(docs: Path) -> None:
    sync(docs, CodingEncoder())
    with Collection.open(docs.parent / "index") as collection:
        chunks = list(collection.iter_chunks())
    vectors = {chunk.hash: np.eye(16, dtype=np.float32)[n] for n, chunk in enumerate(chunks)}
    asked: list[set[str]] = []

    def reuse_codes(hashes: object) -> dict[str, bytes]:
        asked.append(set(hashes))  # type: ignore[call-overload]
        return {chunks[0].hash: b"of before"}

    encoder = CodingEncoder()
    known = {chunk.hash: vectors[chunk.hash] for chunk in chunks[:2]}
    embedded = embed_chunks(
        [*chunks[:3], chunks[2]], encoder=encoder, reuse=lambda hashes: dict(known), reuse_codes=reuse_codes, codes=True
    )
    fresh = code_of(chunks[2].embedded_text)
    assert embedded.codes == [b"of before", None, fresh, fresh]
    assert (embedded.encoded, embedded.reused, asked) == (1, 3, [{chunk.hash for chunk in chunks[:2]}])
    without = embed_chunks(chunks, encoder=encoder, reuse=lambda hashes: {}, reuse_codes=reuse_codes)
    assert (without.codes, len(asked)) == ([None] * 6, 1)
