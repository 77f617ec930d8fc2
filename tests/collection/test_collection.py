"""The index as a database: every state against a model in memory, every answer against exact search, every damage found."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import artifacts
from c2vsearch.collection import Collection, CollectionWriter, SourceState
from c2vsearch.collection.roots import Root
from c2vsearch.config import ChunkingConfig, IndexingConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import (
    C2VSearchError,
    CorruptFile,
    EncoderMismatch,
    IncompatibleVersion,
    IndexLocked,
    IndexNotFound,
    InvalidConfig,
    StorageFull,
)
from c2vsearch.index.exact import exact_search
from c2vsearch.records import Chunk
from c2vsearch.shards.text import encode_source

ENCODER = HashEncoder(dim=16)
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
SMALL = IndexingConfig(rows_per_shard=7, merge_below_rows=40)


def make_chunks(source: str, count: int, *, seed: int) -> list[Chunk]:
    generator = random.Random(seed)
    texts = [" ".join(generator.choices(WORDS, k=6)) for _ in range(count)]
    return [
        Chunk(
            id=f"{encode_source(source)}-{seed}-{number}", doc_id="d", source=source, start=number, end=number + len(text), text=text,
            start_line=1, end_line=2, page=number or None, heading_path=("A", "B"), title="T", tokens=6, hash=text,
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip


def open_writer(place: Path, **settings: object):
    return CollectionWriter.open(
        place, **{"fingerprint": ENCODER.fingerprint, "chunking": ChunkingConfig(), "indexing": SMALL, **settings}
    )


def put(writer: CollectionWriter, source: str, chunks: list[Chunk]) -> None:
    writer.remove_source(source)
    writer.add(chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]))
    writer.record_source(SourceState(source, 1, 2, chunks=len(chunks)))


def build(place: Path, sources: dict[str, int], *, seed: int = 1) -> dict[str, list[Chunk]]:
    made = {source: make_chunks(source, count, seed=seed) for source, count in sources.items()}
    with open_writer(place) as writer:
        for source, chunks in made.items():
            put(writer, source, chunks)
        writer.commit()
    return made


def check(place: Path, expected: dict[str, list[Chunk]]) -> None:
    """Everything a reader can ask, against the model."""
    collection = Collection.open(place)
    collection.verify()
    chunks = {chunk.id: chunk for group in expected.values() for chunk in group}
    rows = list(collection.iter_rows())
    assert {chunk.id: chunk for _, chunk in rows} == chunks
    assert collection.stats().chunks == len(chunks) == len(rows)
    assert {source for source, state in collection.sources.items() if state.status == "indexed"} == set(expected)
    query = ENCODER.encode_queries(["alpha beta"])[0]
    vectors = collection.vectors([row for row, _ in rows])
    reference = exact_search(query, [vectors.astype(np.float16)], k=9)
    found = collection.search_vectors(query, k=9)
    np.testing.assert_allclose([score for _, score in found], [score for _, score in reference], atol=1e-6)
    assert {chunk.id for chunk in collection.chunks([row for row, _ in found])} <= set(chunks)
    np.testing.assert_allclose(collection.cosines([row for row, _ in rows], query), vectors @ query, atol=1e-5)
    words = collection.search_text('alpha AND "gamma: -theta*', k=10_000)
    holding = {i for i, chunk in chunks.items() if {"alpha", "gamma", "theta"} & set(chunk.text.split())}
    assert {chunk.id for chunk in collection.chunks([row for row, _ in words])} == holding


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_syncs(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    model: dict[str, list[Chunk]] = {}
    names = [f"f{n}" for n in range(10)] + ["caf\udce9 100%.md", "new\nline"]
    for step in range(12):
        with open_writer(tmp_path / "i") as writer:
            for source in generator.sample(names, generator.randint(0, 5)):
                writer.remove_source(source)
                model.pop(source, None)
                if generator.random() < 0.75:
                    model[source] = make_chunks(source, generator.randint(1, 12), seed=100 * seed + step)
                    put(writer, source, model[source])
            version = writer.commit()
            assert writer.commit() == version
        check(tmp_path / "i", model)


def test_no_change_no_version(tmp_path: Path) -> None:
    made = build(tmp_path / "i", {"a": 5, "b": 3})
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with open_writer(tmp_path / "i") as writer:
        assert writer.commit() == 1
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    check(tmp_path / "i", made)


def test_old_versions_stay_as_they_were(tmp_path: Path) -> None:
    place = tmp_path / "i"
    first = build(place, {"a": 20, "b": 9})
    frozen = {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and path.name != "lock"}
    with open_writer(place) as writer:
        writer.remove_source("a")
        put(writer, "c", make_chunks("c", 4, seed=9))
        writer.commit()
    for path, content in frozen.items():
        assert path.read_bytes() == content, path
    old = Collection.open(place, version=1)
    old.verify()
    assert {chunk.source for chunk in old.iter_chunks()} == {"a", "b"}
    assert {row.row for row, _ in old.search_text("alpha beta gamma delta", k=100)} != set()
    assert len(list(old.iter_chunks())) == sum(map(len, first.values()))
    assert {chunk.source for chunk in Collection.open(place).iter_chunks()} == {"b", "c"}


def test_a_reader_keeps_its_version_while_another_is_written(tmp_path: Path) -> None:
    place = tmp_path / "i"
    build(place, {"a": 20})
    reader = Collection.open(place)
    query = ENCODER.encode_queries(["alpha"])[0]
    before = reader.search_vectors(query, k=50)
    build(place, {"b": 5}, seed=2)
    assert reader.search_vectors(query, k=50) == before
    assert {chunk.source for chunk in reader.iter_chunks()} == {"a"}


def test_embeddings_are_reused_by_hash_also_from_an_unfinished_run(tmp_path: Path) -> None:
    chunks = make_chunks("a", 20, seed=5)
    rows = ENCODER.encode_documents([chunk.text for chunk in chunks])
    with open_writer(tmp_path / "i") as writer:
        writer.add(chunks, rows)  # two full shards are on the disk; then the process stops without a commit
    with pytest.raises(IndexNotFound):
        Collection.open(tmp_path / "i")
    with open_writer(tmp_path / "i") as writer:
        found = writer.reusable_vectors([chunk.hash for chunk in chunks])
        assert len(found) >= 14
        for chunk, row in zip(chunks, rows, strict=True):
            if chunk.hash in found:
                np.testing.assert_allclose(found[chunk.hash], row, atol=1e-3)
        put(writer, "a", chunks)
        writer.commit()
    check(tmp_path / "i", {"a": chunks})


def test_compaction_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "i"
    model = build(place, {f"f{n}": 3 for n in range(30)})
    shards = Collection.open(place).stats().shards
    with open_writer(place) as writer:
        for n in range(0, 30, 3):
            for source in (f"f{n}", f"f{n + 1}"):
                writer.remove_source(source)
                model.pop(source)
        writer.commit()
    check(place, model)
    assert Collection.open(place).stats().shards < shards
    assert Collection.open(place).stats().deleted < 20


# Refusals.


def test_what_is_not_an_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="no index at"):
        Collection.open(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidConfig, match="not an index and is not empty"), open_writer(tmp_path):
        pass
    with pytest.raises(InvalidConfig, match="is a file"), open_writer(tmp_path / "notes.txt"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    build(tmp_path / "i", {"a": 2})
    other = HashEncoder(dim=8).fingerprint
    with pytest.raises(EncoderMismatch, match=r"hash@words-16 \(16 dimensions\).*hash@words-8 \(8 dimensions\)"):
        open_writer(tmp_path / "i", fingerprint=other).__enter__()
    with open_writer(tmp_path / "i", fingerprint=other, rebuild=True) as writer:
        assert writer.sources == {}


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with open_writer(tmp_path / "i"), pytest.raises(IndexLocked, match="another process"):
        open_writer(tmp_path / "i").__enter__()


def test_changed_settings_are_named(tmp_path: Path) -> None:
    first, second = Root(path="/corpus"), Root(path="/corpus", reader="2")
    with open_writer(tmp_path / "i", roots=[first]) as writer:
        writer.commit()
    with open_writer(tmp_path / "i", chunking=ChunkingConfig(max_tokens=128), roots=[second]) as writer:
        assert writer.settings_changed == "max_tokens 256 -> 128, reading  -> 2"
    with open_writer(tmp_path / "i", roots=[Root(path="/more", reader="3")]) as writer:
        assert writer.settings_changed == ""
        writer.commit()
    assert Collection.open(tmp_path / "i").manifest.roots == (first, Root(path="/more", reader="3"))


def test_vectors_that_are_no_unit_vectors_are_refused(tmp_path: Path) -> None:
    [chunk] = make_chunks("a", 1, seed=1)
    for row in (np.full(16, np.nan), np.zeros(16), np.full(16, 3.0)):
        with open_writer(tmp_path / "i") as writer, pytest.raises(InvalidConfig, match="unit vectors"):
            writer.add([chunk] * 7, np.tile(row.astype(np.float32), (7, 1)))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (('"format": 2', '"format": 3'), IncompatibleVersion),
        (('"format": 2', '"format": 2,'), CorruptFile),
        (('"name": "shards/', '"name": "../shards/'), CorruptFile),
        (('"name": "shards/', '"name": "/etc/'), CorruptFile),
        (('"rows": 5', '"rows": -5'), CorruptFile),
        (('"created"', '"surprise"'), CorruptFile),
    ],
)
def test_a_hostile_or_foreign_manifest(tmp_path: Path, change: tuple[str, str], error: type[C2VSearchError]) -> None:
    build(tmp_path / "i", {"a": 5})
    path = tmp_path / "i" / "versions" / "00000001.json"
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(error):
        Collection.open(tmp_path / "i").search_text("alpha", k=1)


def test_every_damaged_file_is_found_before_it_can_answer(tmp_path: Path) -> None:
    build(tmp_path / "i", {"a": 12, "b": 5})
    with open_writer(tmp_path / "i") as writer:
        writer.remove_source("b")
        writer.commit()
    query = ENCODER.encode_queries(["alpha"])[0]

    def ask(place: Path) -> None:
        collection = Collection.open(place)
        assert len(collection.chunks([row for row, _ in collection.search_vectors(query, k=30)])) == 12
        collection.search_text("alpha beta", k=30)
        assert len(collection.sources) == 1

    ask(tmp_path / "i")
    needed = {entry.name for entry in Collection.open(tmp_path / "i").manifest.files()}
    generator = random.Random(4)
    for name in sorted(needed):
        for damage in ("flip", "cut", "grow", "remove"):
            place = tmp_path / "copy"
            shutil.copytree(tmp_path / "i", place)
            path = place / name
            data = bytearray(path.read_bytes())
            path.unlink()
            if damage == "flip":
                at = generator.randrange(len(data))
                data[at] ^= 1 << generator.randrange(8)
            if damage != "remove":
                path.write_bytes(data[:-1] if damage == "cut" else data + b"x" if damage == "grow" else data)
            with pytest.raises(CorruptFile):
                ask(place)
            shutil.rmtree(place)


# Crashes and full disks.


class Killed(BaseException):
    """Stands for the end of the process at this very point."""


def steps_of_a_commit(monkeypatch: pytest.MonkeyPatch, place: Path, fail_at: int, failure: BaseException) -> int:
    """Run a commit in which the n-th change of the file system fails; give how many changes there were."""
    count = 0
    originals = {name: getattr(os, name) for name in ("replace", "link", "fsync", "unlink")}

    def guarded(name: str):
        def call(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == fail_at:
                raise failure
            return originals[name](*arguments, **named)

        return call

    with monkeypatch.context() as patch:
        for name in originals:
            patch.setattr(os, name, guarded(name))
        with open_writer(place) as writer:
            writer.remove_source("a")
            put(writer, "c", make_chunks("c", 9, seed=7))
            writer.commit()
    return count


def test_killed_at_every_step_of_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each change of the file system: the last version opens whole, and the same run completes afterwards."""
    before = build(tmp_path / "start", {"a": 8, "b": 4})
    after = {"b": before["b"], "c": make_chunks("c", 9, seed=7)}
    shutil.copytree(tmp_path / "start", tmp_path / "count")
    total = steps_of_a_commit(monkeypatch, tmp_path / "count", 0, Killed())
    assert total > 10
    for step in range(1, total + 1):
        place = tmp_path / f"at{step}"
        shutil.copytree(tmp_path / "start", place)
        with pytest.raises(Killed):
            steps_of_a_commit(monkeypatch, place, step, Killed())
        version = Collection.open(place).manifest.version
        check(place, after if version == 2 else before)
        with open_writer(place) as writer:
            writer.remove_source("a")
            put(writer, "c", after["c"])
            writer.commit()
        check(place, after)


def test_disk_full_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build(tmp_path / "start", {"a": 8, "b": 4})
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    outcomes = set()
    for step in range(1, 40):
        place = tmp_path / f"at{step}"
        shutil.copytree(tmp_path / "start", place)
        try:
            steps_of_a_commit(monkeypatch, place, step, full)
        except StorageFull:
            outcomes.add("refused")
        except OSError:
            outcomes.add("sweep")  # the commit was made; only the clearing away behind it failed
        version = Collection.open(place).manifest.version
        if version == 1:
            check(place, before)
        shutil.rmtree(place)
    assert "refused" in outcomes


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    build(tmp_path / "i", {"a": 8})
    code = textwrap.dedent(
        f"""
        import resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))
        sys.path.insert(0, {str(Path.cwd())!r})
        from tests.collection.test_collection import *
        from pathlib import Path
        try:
            build(Path({str(tmp_path / "i")!r}), {{"z": 30}})
        except StorageFull as error:
            print("full:", error)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "full: cannot write" in done.stdout, done.stderr
    assert {chunk.source for chunk in Collection.open(tmp_path / "i").iter_chunks()} == {"a"}


def test_temporary_files_are_swept(tmp_path: Path) -> None:
    place = tmp_path / "i"
    build(place, {"a": 3})
    litter = place / "shards" / f"{artifacts.TEMPORARY_PREFIX}abc-x.parquet"
    litter.write_bytes(b"half a shard")
    build(place, {"b": 3}, seed=2)
    assert not litter.exists()
