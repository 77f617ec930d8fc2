"""Codes of token states through the life of an index: read by rows, joined, found again by hash."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, CollectionWriter
from c2vsearch.collection.maintenance import compact
from c2vsearch.config import IndexingConfig, IndexSpec
from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.records import Chunk
from tests.coding import code_of
from tests.collection.builder import ENCODER, SMALL, Model, check, chunks_of, state, writer


def put(target: CollectionWriter, chunks: Sequence[Chunk], *, codec: str = "") -> None:
    """A whole source, every third chunk of it without codes."""
    target.add(
        chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]), [wanted(chunk, codec) for chunk in chunks]
    )
    target.record_source(state(chunks[0].source, len(chunks)))


def wanted(chunk: Chunk, codec: str) -> bytes | None:
    return code_of(chunk.text, identity=codec) if codec and chunk.start % 3 else None


def build(root: Path, model: Model, codecs: dict[str, str]) -> None:
    """A commit for each source, with codes of the codec it is to have."""
    for source, chunks in model.items():
        with writer(root, token_codec=codecs[source]) as target:
            put(target, chunks, codec=codecs[source])
            target.commit()


def codes(root: Path, codec: str) -> dict[str, bytes | None]:
    """By the id of the chunk, in an order in which nothing is stored."""
    with Collection.open(root) as collection:
        rows = list(collection.iter_rows())
        random.Random(0).shuffle(rows)
        found = collection.token_codes([row for row, _ in rows], codec=codec)
        return {chunk.id: code for (_, chunk), code in zip(rows, found, strict=True)}


def expected(model: Model, codecs: dict[str, str], codec: str) -> dict[str, bytes | None]:
    return {
        chunk.id: wanted(chunk, codec if codecs[source] == codec else "")
        for source, chunks in model.items()
        for chunk in chunks
    }


# Every shard of four rows is a small one.
JOINING = IndexingConfig(rows_per_shard=10)
MODEL = {f"{n}.md": chunks_of(f"{n}.md", 4, seed=n) for n in range(6)}
MIXED = dict(zip(MODEL, ["", "old", "old", "new", "", "new"], strict=True))


def test_codes_are_given_to_the_codec_that_made_them_alone(tmp_path: Path) -> None:
    build(tmp_path, MODEL, MIXED)
    for codec in ("old", "new", "unknown", ""):
        assert codes(tmp_path, codec) == expected(MODEL, MIXED, codec)
    formats = sorted(Collection.open(tmp_path).shard(number).token_codec for number in range(6))
    assert formats == ["", "", "new", "new", "old", "old"]


def test_shards_that_are_joined_keep_the_codes_of_the_newest_codec(tmp_path: Path) -> None:
    build(tmp_path, MODEL, MIXED)
    compact(tmp_path, indexing=JOINING)
    assert [entry.rows for entry in Collection.open(tmp_path).manifest.shards] == [10, 10, 4]
    assert codes(tmp_path, "new") == expected(MODEL, MIXED, "new")
    assert set(codes(tmp_path, "old").values()) == {None}
    check(Collection.open(tmp_path), MODEL)
    Collection.open(tmp_path).verify()


def test_an_old_shard_that_is_written_anew_does_not_pass_for_a_new_one(tmp_path: Path) -> None:
    """What is rewritten stands last; codes of the old codec in it would win over the new ones the next time."""
    model: Model = {"old.md": chunks_of("old.md", 7, seed=0), "gone.md": chunks_of("gone.md", 7, seed=0)}
    model["new.md"] = chunks_of("new.md", 7, seed=0)
    with writer(tmp_path, token_codec="old") as target:
        mixed = [chunk for pair in zip(model["old.md"], model["gone.md"], strict=True) for chunk in pair]
        vectors = ENCODER.encode_documents([chunk.text for chunk in mixed])
        target.add(mixed, vectors, [wanted(chunk, "old") for chunk in mixed])
        for name in ("old.md", "gone.md"):
            target.record_source(state(name, 7))
        target.commit()
    with writer(tmp_path, token_codec="new") as target:
        put(target, model["new.md"], codec="new")
        target.remove_source("gone.md")
        target.commit()
    del model["gone.md"]
    for rows, shards in ((SMALL.rows_per_shard, 3), (100, 1)):  # first the old rows alone, then all together
        compact(tmp_path, indexing=IndexingConfig(rows_per_shard=rows))
        assert len(Collection.open(tmp_path).manifest.shards) == shards
        assert codes(tmp_path, "new") == expected(model, {"old.md": "old", "new.md": "new"}, "new")
    check(Collection.open(tmp_path), model)


def test_shards_without_codes_are_joined_as_before(tmp_path: Path) -> None:
    build(tmp_path, MODEL, dict.fromkeys(MODEL, ""))
    compact(tmp_path, indexing=JOINING)
    collection = Collection.open(tmp_path)
    assert len(collection.manifest.shards) == 3
    assert {collection.shard(number).token_codec for number in range(len(collection.manifest.shards))} == {""}
    check(collection, MODEL)


def test_what_is_joined_within_one_codec_keeps_every_code(tmp_path: Path) -> None:
    codecs = dict.fromkeys(MODEL, "new")
    build(tmp_path, MODEL, codecs)
    compact(tmp_path, indexing=JOINING)
    assert len(Collection.open(tmp_path).manifest.shards) == 3
    assert codes(tmp_path, "new") == expected(MODEL, codecs, "new")


def test_codes_are_found_again_by_hash_and_codec(tmp_path: Path) -> None:
    build(tmp_path, MODEL, MIXED)
    hashes = [chunk.hash for chunks in MODEL.values() for chunk in chunks]
    for codec in ("old", "new", "unknown", ""):
        with writer(tmp_path, token_codec=codec) as target:
            found = target.reusable_codes(hashes)
            assert found == {
                chunk.hash: code
                for source, chunks in MODEL.items()
                for chunk in chunks
                if codec == MIXED[source] and (code := wanted(chunk, codec)) is not None
            }
            assert set(target.reusable_vectors(hashes)) == set(hashes)
            assert target.reusable_codes([]) == target.reusable_codes(["unknown"]) == {}


def test_codes_of_an_unfinished_run_and_of_this_one_are_found(tmp_path: Path) -> None:
    lost, now = chunks_of("lost.md", 7, seed=0), chunks_of("now.md", 7, seed=1)
    with writer(tmp_path, token_codec="new") as target:
        put(target, lost, codec="new")  # a full shard is on the disk; no commit comes
    with writer(tmp_path, token_codec="new") as target:
        put(target, now, codec="new")
        found = target.reusable_codes([chunk.hash for chunk in (*lost, *now)])
    assert found == {chunk.hash: code for chunk in (*lost, *now) if (code := wanted(chunk, "new")) is not None}


def test_codes_are_found_where_an_older_version_has_the_vector_alone(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 7, seed=0)
    build(tmp_path, {"a.md": chunks}, {"a.md": ""})
    with writer(tmp_path, token_codec="new", rebuild=True) as target:
        put(target, chunks, codec="new")
        target.commit()
    with writer(tmp_path, token_codec="new") as target:
        found = target.reusable_codes([chunk.hash for chunk in chunks])
    assert found == {chunk.hash: code for chunk in chunks if (code := wanted(chunk, "new")) is not None}


def test_a_writer_without_a_codec_takes_no_codes(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 3, seed=0)
    rows = ENCODER.encode_documents([chunk.text for chunk in chunks])
    with writer(tmp_path) as target:
        with pytest.raises(InvalidConfig, match="token codes without a codec"):
            target.add(chunks, rows, [b"x", None, None])
        with pytest.raises(InvalidConfig, match="2 token codes for 3 chunks"):
            target.add(chunks, rows, [None, None])
        target.add(chunks, rows, [None, None, None])
        target.record_source(state("a.md", 3))
        target.commit()
    check(Collection.open(tmp_path), {"a.md": chunks})


def test_damage_in_codes_is_told_by_whoever_reads_them_and_by_verify(tmp_path: Path) -> None:
    build(tmp_path / "i", MODEL, dict.fromkeys(MODEL, "new"))
    for source, chunks in MODEL.items():
        root = Path(shutil.copytree(tmp_path / "i", tmp_path / source))
        code = wanted(chunks[1], "new")
        assert code
        [path] = [path for path in (root / "shards").iterdir() if code in path.read_bytes()]
        data = bytearray(path.read_bytes())
        data[data.index(code)] ^= 4
        path.write_bytes(data)
        with pytest.raises(CorruptFile, match=path.name):
            codes(root, "new")
        with pytest.raises(CorruptFile, match=path.name):
            Collection.open(root).verify()


def test_a_manifest_says_so_only_where_codes_are_not_wanted(tmp_path: Path) -> None:
    """Earlier versions of c2vsearch refuse a key of ``index`` they do not know."""
    told = []
    for spec in (IndexSpec(), IndexSpec(token_codes=False), None, IndexSpec(token_codes=True)):
        with writer(tmp_path, spec=spec) as target:
            target.commit()
        collection = Collection.open(tmp_path)
        written = json.loads(max((tmp_path / "versions").glob("*.json")).read_bytes())["index"]
        told.append((collection.manifest.version, collection.manifest.index.token_codes, written.get("token_codes")))
    assert told == [(1, True, None), (2, False, False), (2, False, False), (3, True, None)]
