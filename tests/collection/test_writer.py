from __future__ import annotations

import dataclasses
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import artifacts
from c2vsearch.collection import Collection, SourceState, compaction, keywords, layout, segments, sweep
from c2vsearch.collection.roots import Root
from c2vsearch.config import ChunkingConfig, IndexingConfig
from c2vsearch.errors import CorruptFile, EncoderMismatch, IndexLocked, InvalidConfig
from c2vsearch.records import Fingerprint
from tests.collection.builder import (
    ENCODER,
    Model,
    build,
    change,
    check,
    chunks_of,
    files,
    put,
    state,
    use,
    writer,
)


def encoded(chunks: list) -> np.ndarray:
    return ENCODER.encode_documents([chunk.text for chunk in chunks])


@pytest.mark.parametrize("seed", range(2))
def test_any_history_gives_what_a_dict_gives(tmp_path: Path, seed: int) -> None:
    model: Model = {}
    versions: dict[int, Model] = {}
    for step in range(14):
        with writer(tmp_path / "i") as target:
            for turn in range(random.Random(step).choice([1, 1, 2])):  # some writers commit twice
                model = change(target, model, seed=1000 * seed + 10 * step + turn)
                version = target.commit()
                assert target.commit() == version
                versions[version] = model
                assert {name for name, known in target.sources.items() if known.chunks} == set(model)
        collection = Collection.open(tmp_path / "i")
        check(collection, model, queries=2)
        collection.verify()
    for version in layout.versions(tmp_path / "i"):
        check(Collection.open(tmp_path / "i", version=version), versions[version], queries=1)


def test_an_empty_index_is_an_index(tmp_path: Path) -> None:
    with writer(tmp_path / "i") as target:
        assert target.commit() == 1
    collection = Collection.open(tmp_path / "i")
    assert collection.search_vectors(ENCODER.encode_queries(["x"])[0], k=5) == collection.search_text("x", k=5) == []
    assert collection.stats().chunks == collection.verify() - len(collection.manifest.files()) == 0
    assert list(collection.iter_chunks()) == []


def test_the_directory_is_private(tmp_path: Path) -> None:
    build(tmp_path / "deep" / "i", {"a": chunks_of("a", 1, seed=0)})
    assert stat.S_IMODE((tmp_path / "deep" / "i").stat().st_mode) == 0o700


def test_no_change_makes_no_version(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 9, seed=0)}
    build(tmp_path / "i", model)
    before = files(tmp_path / "i")
    with writer(tmp_path / "i") as target:
        target.record_source(state("a.md", 9))
        assert target.commit() == 1
    assert files(tmp_path / "i") == before


def test_a_touched_source_keeps_its_rows_and_every_file_but_the_list_of_sources(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 9, seed=0)}
    build(tmp_path / "i", model)
    with writer(tmp_path / "i") as target:
        target.record_source(state("a.md", 9, mtime=77))
        assert target.commit() == 2
    old, new = (Collection.open(tmp_path / "i", version=version).manifest for version in (1, 2))
    assert (old.shards, old.vectors, old.lexical) == (new.shards, new.vectors, new.lexical)
    check(Collection.open(tmp_path / "i"), model)
    assert Collection.open(tmp_path / "i").sources["a.md"].mtime_ns == 77


def test_the_same_chunks_again_stay_when_only_the_reading_changed(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 7, seed=0), "b.md": chunks_of("b.md", 7, seed=0)}
    build(tmp_path / "i", model)
    with writer(tmp_path / "i", roots=[Root(path="/corpus", reader="2")]) as target:
        assert target.settings_changed == "reading  -> 2"
        for chunks in model.values():
            target.remove_source(chunks[0].source)
            put(target, chunks)
        assert target.commit() == 2
    check(Collection.open(tmp_path / "i"), model)


def test_skipped_and_failed_sources_are_remembered_with_their_reasons(tmp_path: Path) -> None:
    build(tmp_path / "i", {"a.md": chunks_of("a.md", 3, seed=0)})
    skipped = SourceState("caf\udce9 %\n.bin", 5, 6, status="skipped", reason="binary", detail="has NUL at \udcff")
    with writer(tmp_path / "i") as target:
        target.record_source(skipped)
        target.record_source(state("a.md", 0, status="failed", reason="vanished"))
        target.commit()
    collection = Collection.open(tmp_path / "i")
    assert collection.sources[skipped.source] == skipped
    assert collection.manifest.counts == {"chunks": 0, "sources_failed": 1, "sources_skipped": 1}
    check(collection, {})


def test_what_was_not_recorded_is_not_published(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 9, seed=0)}
    build(tmp_path / "i", model)
    whole, half = chunks_of("b.md", 4, seed=0), chunks_of("a.md", 12, seed=1)
    with writer(tmp_path / "i") as target:
        put(target, whole)
        target.remove_source("a.md")
        target.add(half[:8], encoded(half[:8]))  # then Ctrl-C, and the commit of what is finished
        assert target.commit() == 2
        assert set(target.sources) == {"a.md", "b.md"}
    check(Collection.open(tmp_path / "i"), {**model, "b.md": whole})


def test_a_writer_that_fails_publishes_nothing_and_lets_go_of_the_lock(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 9, seed=0)}
    build(tmp_path / "i", model)
    with pytest.raises(ZeroDivisionError), writer(tmp_path / "i") as target:  # noqa: PT012
        put(target, chunks_of("b.md", 30, seed=0))
        raise ZeroDivisionError
    check(Collection.open(tmp_path / "i"), model)
    assert build(tmp_path / "i", {}) == 2


def test_a_row_that_is_no_unit_vector_never_gets_in(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 3, seed=0)
    rows = encoded(chunks)
    rows[2, 0] = np.nan
    with writer(tmp_path / "i") as target:
        with pytest.raises(InvalidConfig, match=r"the vector of 'a\.md' has length nan"):
            target.add(chunks, rows)
        with pytest.raises(InvalidConfig, match=r"shape \(3, 15\); expected \(3, 16\)"):
            target.add(chunks, rows[:, :15])
        target.record_source(state("a.md", 3))
        target.commit()
    check(Collection.open(tmp_path / "i"), {})


# Embeddings that exist already.


def test_vectors_are_found_by_hash_wherever_they_lie(tmp_path: Path) -> None:
    chunks = {name: chunks_of(name, 20, seed=0) for name in ("live", "dead", "pending", "now", "other")}
    build(tmp_path / "i", {"live": chunks["live"], "dead": chunks["dead"]})
    with pytest.raises(ZeroDivisionError), writer(tmp_path / "i") as target:  # noqa: PT012
        target.remove_source("dead")
        target.commit()
        target.add(chunks["pending"], encoded(chunks["pending"]))
        raise ZeroDivisionError
    with writer(tmp_path / "i") as target:
        target.add(chunks["now"], encoded(chunks["now"]))
        wanted = {c.hash: c for name in ("live", "dead", "pending", "now", "other") for c in chunks[name]}
        found = target.reusable_vectors(wanted)
        on_disk = [*chunks["live"], *chunks["dead"], *chunks["pending"][:14], *chunks["now"][:14]]
        assert set(found) == {chunk.hash for chunk in on_disk}
        for value, row in found.items():
            expected = encoded([wanted[value]])[0].astype(np.float16)
            np.testing.assert_array_equal(row.astype(np.float16), expected)
        assert target.reusable_vectors([]) == target.reusable_vectors(["unknown"]) == {}


def test_reused_vectors_are_stored_as_they_were(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 20, seed=0)
    build(tmp_path / "i", {"a.md": chunks})
    moved = [dataclasses.replace(chunk, source="b.md", id=chunk.id + "b") for chunk in chunks]
    with writer(tmp_path / "i") as target:
        found = target.reusable_vectors([chunk.hash for chunk in chunks])
        target.remove_source("a.md")
        target.add(moved, np.stack([found[chunk.hash] for chunk in moved]))
        target.record_source(state("b.md", len(moved)))
        target.commit()
    check(Collection.open(tmp_path / "i"), {"b.md": moved})  # compares every vector bit for bit


def test_a_rebuild_embeds_everything_again_and_resumes_itself(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 21, seed=0)
    build(tmp_path / "i", {"a.md": chunks})
    with pytest.raises(ZeroDivisionError), writer(tmp_path / "i", rebuild=True) as target:  # noqa: PT012
        assert target.sources == {}
        assert target.reusable_vectors([chunk.hash for chunk in chunks]) == {}
        more = chunks_of("b.md", 7, seed=3)
        target.add(more, encoded(more))
        raise ZeroDivisionError
    with writer(tmp_path / "i", rebuild=True) as target:
        found = target.reusable_vectors([chunk.hash for chunk in (*chunks, *more)])
        assert set(found) == {chunk.hash for chunk in more} - {chunk.hash for chunk in chunks}
        put(target, more)
        assert target.commit() == 2
    check(Collection.open(tmp_path / "i"), {"b.md": more})
    check(Collection.open(tmp_path / "i", version=1), {"a.md": chunks})


def test_a_damaged_leftover_is_passed_over(tmp_path: Path) -> None:
    build(tmp_path / "i", {})
    chunks = chunks_of("a.md", 14, seed=0)
    with pytest.raises(ZeroDivisionError), writer(tmp_path / "i") as target:  # noqa: PT012
        target.add(chunks, encoded(chunks))
        raise ZeroDivisionError
    first, second = sorted((tmp_path / "i" / "shards").iterdir())
    first.write_bytes(first.read_bytes()[:-9])
    with writer(tmp_path / "i") as target:
        assert len(target.reusable_vectors([chunk.hash for chunk in chunks])) == 7
        second.write_bytes(b"")
        assert isinstance(target.reusable_vectors([chunk.hash for chunk in chunks]), dict)
        put(target, chunks)
        target.commit()
    check(Collection.open(tmp_path / "i"), {"a.md": chunks})


def test_vectors_of_another_model_are_not_reused(tmp_path: Path) -> None:
    chunks = chunks_of("a.md", 14, seed=0)
    build(tmp_path / "i", {"a.md": chunks})
    other = dataclasses.replace(ENCODER.fingerprint, revision="another")
    with writer(tmp_path / "i", fingerprint=other, rebuild=True) as target:
        assert target.reusable_vectors([chunk.hash for chunk in chunks]) == {}


# Refusals.


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    build(tmp_path / "i", {})
    other = Fingerprint(name="other", revision="abcdefgh12", dim=16, pooling="sum")
    with pytest.raises(EncoderMismatch, match=r"built with hash@words-16 \(16 .*this run uses other@abcdefgh"):
        with writer(tmp_path / "i", fingerprint=other):
            pass
    with writer(tmp_path / "i", fingerprint=dataclasses.replace(ENCODER.fingerprint, precision="int8")) as target:
        assert target.commit() == 1


def test_a_root_inside_another_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "i", {})
    with pytest.raises(InvalidConfig, match="/corpus/inside lies in /corpus; expected"):
        with writer(tmp_path / "i", roots=[Root(path="/corpus/inside")]):
            pass


def test_other_chunking_is_noticed(tmp_path: Path) -> None:
    build(tmp_path / "i", {"a.md": chunks_of("a.md", 3, seed=0)})
    with writer(tmp_path / "i", chunking=ChunkingConfig(max_tokens=99)) as target:
        assert target.settings_changed == "max_tokens 256 -> 99"
        assert target.commit() == 2
    assert Collection.open(tmp_path / "i").manifest.chunking.max_tokens == 99


@pytest.mark.parametrize("names", [["notes.txt"], ["versions/001.sql"], ["versions/env.py", "lock"], ["shards/x", "a"]])
def test_a_directory_of_other_things_is_never_written_to(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    with pytest.raises(InvalidConfig, match="is not an index and is not empty"):
        with writer(tmp_path):
            pass
    assert files(tmp_path) == before
    with pytest.raises(InvalidConfig, match="is a file"):
        with writer(tmp_path / names[0]):
            pass


def test_a_lock_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "i", {})
    (tmp_path / "i" / "lock").unlink()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "i" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InvalidConfig, match="symbolic link"):
        with writer(tmp_path / "i"):
            pass
    assert (tmp_path / "precious").read_text() == "mine"


def test_the_second_writer_is_told_there_is_one(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 3, seed=0)}
    build(tmp_path / "i", model)
    program = (
        "import sys; from tests.collection.builder import build\n"
        "from c2vsearch.errors import IndexLocked\n"
        "from pathlib import Path\n"
        "try: build(Path(sys.argv[1]), {})\n"
        "except IndexLocked as error: print(error)\n"
    )
    with writer(tmp_path / "i"):
        with pytest.raises(IndexLocked, match="another process is writing"), writer(tmp_path / "i"):
            pass
        run = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "i")], capture_output=True, text=True, cwd=os.getcwd()
        )
        assert "another process is writing" in run.stdout, run.stderr
        check(Collection.open(tmp_path / "i"), model)  # readers do not wait
    assert build(tmp_path / "i", {}) == 2


def test_a_damaged_newest_version_is_not_built_upon(tmp_path: Path) -> None:
    model = {"a.md": chunks_of("a.md", 9, seed=0)}
    build(tmp_path / "i", model)
    layout.manifest_path(tmp_path / "i", 1).write_bytes(b"")
    with pytest.raises(CorruptFile, match="--rebuild"), writer(tmp_path / "i"):
        pass
    with writer(tmp_path / "i", rebuild=True) as target:
        put(target, model["a.md"])
        assert target.commit() == 2
    check(Collection.open(tmp_path / "i"), model)


@pytest.mark.parametrize("room", ["shards", "lexical", "sources", "deletes"])
def test_damage_is_not_taken_over_into_the_next_version(tmp_path: Path, room: str) -> None:
    build(tmp_path / "i", {"a.md": chunks_of("a.md", 30, seed=0), "b.md": chunks_of("b.md", 2, seed=0)})
    with writer(tmp_path / "i") as target:
        target.remove_source("b.md")
        assert target.commit() == 2
    damaged = [path for path in (tmp_path / "i" / room).rglob("*") if path.is_file()]
    assert damaged
    for path in damaged:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    with pytest.raises(CorruptFile), writer(tmp_path / "i") as target:  # noqa: PT012
        target.remove_source("a.md")
        put(target, chunks_of("a.md", 11, seed=9))
        target.commit()
    assert layout.versions(tmp_path / "i") == [1, 2]


# Housekeeping.


def test_worn_and_small_shards_are_written_anew(tmp_path: Path) -> None:
    model = {f"{n}.md": chunks_of(f"{n}.md", 2, seed=0) for n in range(compaction.SMALL_SHARDS)}
    for name in model:
        with writer(tmp_path / "i") as target:
            put(target, model[name])
            target.commit()
    assert len(Collection.open(tmp_path / "i").manifest.shards) == compaction.SMALL_SHARDS
    model["more.md"] = chunks_of("more.md", 2, seed=0)
    with writer(tmp_path / "i") as target:
        put(target, model["more.md"])
        target.commit()
    joined = Collection.open(tmp_path / "i")
    assert [entry.rows for entry in joined.manifest.shards] == [7, 7, 4]
    check(joined, model)
    with writer(tmp_path / "i") as target:
        for name in list(model)[:2]:  # 4 of the first 7 rows
            target.remove_source(name)
            model.pop(name)
        target.commit()
    worn = Collection.open(tmp_path / "i")
    assert worn.stats().deleted == 0
    assert [entry.rows for entry in worn.manifest.shards] == [7, 4, 3]
    check(worn, model)


def test_a_segment_outlives_a_few_of_its_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {f"{n}.md": chunks_of(f"{n}.md", 7, seed=n) for n in range(10)}
    build(tmp_path / "i", model)
    first = Collection.open(tmp_path / "i").manifest.vectors
    for name in ("3.md", "4.md"):
        with writer(tmp_path / "i") as target:
            target.remove_source(name)
            target.commit()
        model.pop(name)
    later = Collection.open(tmp_path / "i")
    assert (len(later.manifest.shards), later.manifest.vectors) == (8, first)
    check(later, model)
    with writer(tmp_path / "i") as target:
        target.remove_source("5.md")
        target.commit()
    model.pop("5.md")
    assert [e.file.rows for e in Collection.open(tmp_path / "i").manifest.vectors] == [49]
    check(Collection.open(tmp_path / "i"), model)
    monkeypatch.setattr(segments, "MAX_SEGMENT_ROWS", 20)
    build(tmp_path / "j", model)
    assert [entry.file.rows for entry in Collection.open(tmp_path / "j").manifest.vectors] == [14, 14, 14, 7]
    check(Collection.open(tmp_path / "j"), model)


def test_keywords_are_written_anew_when_most_documents_are_deleted(tmp_path: Path) -> None:
    model = {f"{n}.md": chunks_of(f"{n}.md", 7, seed=n) for n in range(6)}
    build(tmp_path / "i", model)
    for keep in (5, 4, 2, 1):
        model = dict(list(model.items())[:keep])
        build(tmp_path / "i", model)
        collection = Collection.open(tmp_path / "i")
        check(collection, model)
        assert collection.manifest.lexical is not None
        directory = tmp_path / "i" / collection.manifest.lexical.directory
        assert keywords.lexical.deleted_documents(directory) <= 7 * keep


def age(root: Path) -> None:
    for path in (root / "shards").iterdir():
        os.utime(path, (0, 0))


def test_old_versions_and_leftovers_are_swept_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "KEEP_SECONDS", 0.0)
    root = tmp_path / "i"
    model: Model = {}
    for step in range(9):
        model = {f"{n}.md": chunks_of(f"{n}.md", 5, seed=step * n) for n in range(4)}
        build(root, model)
        age(root)
    strangers = ["README", "shards/notes.txt", "versions/keep.me", "lexical/mine/x", "vectors/a.faiss.bak"]
    leftovers = ["shards/.tmp-1-a.parquet", "versions/.tmp-1-x.json", "vectors/0123456789abcdef.faiss",
                 "lexical/00000001-0123abcd/meta.json", "deletes/0123456789abcdef.parquet"]  # fmt: skip
    for name in (*strangers, *leftovers):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    pending = root / "shards" / "00000000deadbeef.parquet"
    pending.write_text("of a run today")
    with writer(root) as target:
        target.commit()
    there = layout.versions(root)
    assert there == [5, 6, 7, 8, 9]
    needed = {e.name for version in there for e in Collection.open(root, version=version).manifest.files()}
    manifests = {f"versions/{version:08d}.json" for version in there}
    assert set(files(root)) == needed | manifests | set(strangers) | {"lock", "shards/00000000deadbeef.parquet"}
    for version in there:
        Collection.open(root, version=version).verify()
    age(root)
    with writer(root) as target:
        target.commit()
    assert not pending.exists()


def test_a_young_version_is_kept_for_its_readers(tmp_path: Path) -> None:
    for step in range(sweep.KEEP_VERSIONS + 3):
        build(tmp_path / "i", {"a": chunks_of("a", 3, seed=step)})
    assert len(layout.versions(tmp_path / "i")) == sweep.KEEP_VERSIONS + 3


def test_nothing_is_swept_while_a_manifest_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "KEEP_SECONDS", 0.0)
    root = tmp_path / "i"
    for step in range(3):
        build(root, {"a": chunks_of("a", 3, seed=step)})
    layout.manifest_path(root, 2).write_text("{")
    age(root)
    before = set(files(root))
    build(root, {"a": chunks_of("a", 3, seed=9)})
    assert before <= set(files(root))


def test_a_version_somebody_else_made_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "create_exclusively", lambda path, data: False)
    with pytest.raises(IndexLocked, match="version 1 .* appeared meanwhile"):
        build(tmp_path / "i", {})
    assert layout.versions(tmp_path / "i") == []


def test_one_big_shard_reads_the_same_as_many_small_ones(tmp_path: Path) -> None:
    model = {f"{n}.md": chunks_of(f"{n}.md", 50, seed=n) for n in range(25)}
    with writer(tmp_path / "i", indexing=IndexingConfig()) as target:
        for chunks in model.values():
            put(target, chunks)
        target.commit()
    assert len(Collection.open(tmp_path / "i").manifest.shards) == 1
    check(Collection.open(tmp_path / "i"), model)
    use(tmp_path / "i")
