"""Versions brought back, room given back, damage mended: each compared with the model by value."""

from __future__ import annotations

import datetime
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, layout, sweep
from c2vsearch.collection.history import history, version_at
from c2vsearch.collection.maintenance import compact, repair, restore, vacuum
from c2vsearch.errors import CorruptFile, IndexLocked, IndexNotFound, InvalidConfig, StorageFull
from tests.collection.builder import SMALL, Model, build, change, check, chunks_of, state, writer
from tests.collection.faults import Faults

OLD: Model = {f"{n}.md": chunks_of(f"{n}.md", 4, seed=0) for n in range(5)}


def grown(root: Path, *, commits: int) -> list[Model]:
    """An index of that many versions, and what each of them holds."""
    models = [OLD]
    build(root, OLD)
    for seed in range(1, commits):
        with writer(root) as target:
            models.append(change(target, models[-1], seed=seed))
            target.commit()
    return models


def test_an_older_version_comes_back_as_a_new_one(tmp_path: Path) -> None:
    root = tmp_path / "i"
    models = grown(root, commits=4)
    assert restore(root, 2) == 5
    check(Collection.open(root), models[1])
    check(Collection.open(root, version=4), models[3])
    assert Collection.open(root).manifest.parent == 2
    with writer(root) as target:  # and goes on from there
        model = change(target, models[1], seed=9)
        assert target.commit() == 6
    check(Collection.open(root), model)
    Collection.open(root).verify()


def test_a_version_that_is_not_there_or_damaged_does_not_come_back(tmp_path: Path) -> None:
    root = tmp_path / "i"
    grown(root, commits=3)
    with pytest.raises(IndexNotFound, match="no version 9; it has 1, 2, 3"):
        restore(root, 9)
    newest = {entry.name for entry in Collection.open(root).manifest.files()}
    alone = next(e for e in Collection.open(root, version=1).manifest.files() if e.name not in newest)
    (root / alone.name).write_bytes(b"x")
    with pytest.raises(CorruptFile, match=alone.name):
        restore(root, 1)
    assert layout.versions(root) == [1, 2, 3]


def test_restoring_mends_an_index_whose_newest_manifest_is_damaged(tmp_path: Path) -> None:
    root = tmp_path / "i"
    models = grown(root, commits=3)
    layout.manifest_path(root, 3).write_bytes(b"{}")
    layout.manifest_path(root, 1).write_bytes(b'{"format": 1}')
    assert [(v.number, bool(v.problem)) for v in history(root)] == [(3, True), (2, False), (1, True)]
    assert restore(root, 2) == 4
    check(Collection.open(root), models[1])


def test_versions_by_number_and_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "i"
    moments = [datetime.datetime(2026, 3, day, 12, tzinfo=datetime.UTC) for day in (1, 2, 5)]

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return moments[min(len(layout.versions(root)), 2)]

    with monkeypatch.context() as patches:
        patches.setattr("c2vsearch.collection.history.datetime.datetime", Clock)
        patches.setattr("c2vsearch.collection.sweep.KEEP_VERSIONS", 9)
        grown(root, commits=3)
    assert [version.created for version in history(root)] == [m.isoformat() for m in reversed(moments)]
    for at, number in {
        "2": 2, "2026-03-01T12:00+00:00": 1, "2026-03-04T00:00Z": 2, "2026-03-05T13:59+02:00": 2, "2026-03-05T12:00Z": 3,
        "2030-01-01": 3, "2026-03-03": 2,
    }.items():  # fmt: skip
        assert version_at(root, at) == number, at
    with pytest.raises(IndexNotFound, match="the oldest is version 1 of 2026-03-01T12:00:00"):
        version_at(root, "2025-01-01")
    for nonsense in ("", "-1", "yesterday", "2026-13-01"):
        with pytest.raises(InvalidConfig, match="neither a version nor a time"):
            version_at(root, nonsense)


def test_compaction_changes_files_and_no_answer(tmp_path: Path) -> None:
    root = tmp_path / "i"
    model = grown(root, commits=12)[-1]
    before = Collection.open(root).stats()
    assert before.deleted
    version = compact(root, indexing=SMALL)
    after = Collection.open(root).stats()
    assert (after.version, after.deleted, after.segments) == (version, 0, 1)
    rows = [entry.rows for entry in Collection.open(root).manifest.shards]
    assert sum(count < SMALL.rows_per_shard // 2 for count in rows) <= 1
    assert after.bytes_shards < before.bytes_shards
    check(Collection.open(root), model)
    assert compact(root, indexing=SMALL) == version  # nothing more to gain
    Collection.open(root).verify()


def test_what_many_syncs_leave_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.collection.sweep.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("c2vsearch.collection.sweep.PENDING_SECONDS", 0.0)
    root, sizes = tmp_path / "i", []
    model = OLD
    build(root, OLD)
    for seed in range(1, 61):
        with writer(root) as target:
            model = change(target, model, seed=seed)
            target.commit()
        sizes.append(sum(path.stat().st_size for path in root.rglob("*") if path.is_file()))
    assert max(sizes[30:]) < 1.5 * max(sizes[:30])
    check(Collection.open(root), model)


def test_many_syncs_in_a_short_time_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "i"
    assert len(grown(root, commits=12)) == len(layout.versions(root)) == 12  # all of the last ten minutes
    grown_further(root, 1)
    named = named_by(root)
    monkeypatch.setattr(sweep, "MAX_RECENT", 4)
    grown_further(root, 2)
    named |= named_by(root)
    assert len(layout.versions(root)) == sweep.KEEP_VERSIONS + 4
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert there & named == named_by(root)  # what only those named that are gone by now is gone, and nothing else
    monkeypatch.setattr(sweep, "MAX_RECENT_BYTES", 0)
    monkeypatch.setattr(sweep, "MAX_RECENT_SIZES", 0)
    model = grown_further(root, 3)
    assert len(layout.versions(root)) == sweep.KEEP_VERSIONS
    check(Collection.open(root), model)
    for number in layout.versions(root):
        Collection.open(root, version=number).verify()


def named_by(root: Path) -> set[str]:
    """The files that some version names."""
    manifests = [Collection.open(root, version=number).manifest for number in layout.versions(root)]
    return {entry.name for manifest in manifests for entry in manifest.files()}


def grown_further(root: Path, seed: int) -> Model:
    """All of it replaced by a new version, and what that holds."""
    model = {f"{n}.md": chunks_of(f"{n}.md", 4, seed=100 + seed) for n in range(5)}
    build(root, model)
    return model


def test_vacuum_says_and_removes_what_no_kept_version_needs(tmp_path: Path) -> None:
    root = tmp_path / "i"
    models = grown(root, commits=5)
    (root / "shards" / ("0" * 16 + ".parquet")).write_bytes(b"left by a run that was killed")
    (root / "shards" / "mine.txt").write_text("not ours")
    plan = vacuum(root, keep_versions=2, keep_seconds=0.0, dry_run=True)
    assert (plan.versions, layout.versions(root)) == ((1, 2, 3), [1, 2, 3, 4, 5])
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert vacuum(root, keep_versions=2, keep_seconds=0.0) == plan
    assert layout.versions(root) == [4, 5]
    assert f"shards/{'0' * 16}.parquet" in plan.files
    assert (root / "shards" / "mine.txt").exists()
    for number in (4, 5):
        check(Collection.open(root, version=number), models[number - 1])
        Collection.open(root, version=number).verify()
    # Hard links of one file, all of which go, are told as nothing: no less was freed than told.
    assert 0 < plan.size_bytes <= size - sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert vacuum(root, keep_versions=1, keep_seconds=3600.0).versions == ()
    assert vacuum(root, keep_versions=0, keep_seconds=0.0).versions == (4,)
    check(Collection.open(root), models[4])


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 4
        path.unlink()  # a hard link of an older version may share the bytes
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped", "truncated", "missing"])
def test_what_is_made_of_shards_is_made_anew(tmp_path: Path, how: str) -> None:
    root = tmp_path / "i"
    model = grown(root, commits=6)[-1]
    manifest = Collection.open(root).manifest
    assert manifest.lexical
    assert manifest.sources
    for entry in (manifest.vectors[0].file, manifest.lexical.files[0], manifest.sources):
        damage(root / entry.name, how)
        with pytest.raises(CorruptFile, match=entry.name):
            Collection.open(root).verify()
        assert repair(root, indexing=SMALL) == [entry.name]
        check(Collection.open(root), model)
        Collection.open(root).verify()
    assert repair(root, indexing=SMALL) == []
    # Without the table of sources nothing is known of files but their rows: each is read again.
    assert {(s.size_bytes, s.mtime_ns, s.content_hash) for s in Collection.open(root).sources.values()} == {(0, 0, "")}
    with writer(root) as target:
        target.record_source(state("0.md", len(model["0.md"]), mtime=7))
        target.commit()
    assert Collection.open(root).sources["0.md"].mtime_ns == 7


def test_all_of_it_at_once(tmp_path: Path) -> None:
    root = tmp_path / "i"
    model = grown(root, commits=6)[-1]
    manifest = Collection.open(root).manifest
    names = [e.name for e in manifest.files() if not e.name.startswith(("shards/", "deletes/"))]
    for name in names:
        damage(root / name, "flipped")
    assert repair(root, indexing=SMALL) == sorted(names)
    check(Collection.open(root), model)


@pytest.mark.parametrize("room", ["shards", "deletes"])
def test_what_is_made_of_nothing_else_is_not_made_up(tmp_path: Path, room: str) -> None:
    root = tmp_path / "i"
    grown(root, commits=6)
    name = next(e.name for e in Collection.open(root).manifest.files() if e.name.startswith(room))
    damage(root / name, "flipped")
    with pytest.raises(CorruptFile, match=f"{name}.*cannot be made from other files.*c2vsearch log"):
        repair(root)
    assert layout.versions(root)[-1] == 6


ACTIONS: dict[str, Callable[[Path], object]] = {
    "restore": lambda root: restore(root, 2),
    "compact": lambda root: compact(root, indexing=SMALL),
    "repair": lambda root: repair(root, indexing=SMALL),
    "vacuum": lambda root: vacuum(root, keep_versions=1, keep_seconds=0.0),
}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_full_disk_at_any_touch_leaves_a_whole_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    for at in range(1, 200):
        root = tmp_path / f"i{at}"
        models = grown(root, commits=4)
        if action == "repair":
            damage(root / Collection.open(root).manifest.vectors[0].file.name, "flipped")
        with monkeypatch.context() as patches:
            faults = Faults(patches.setattr, full, at=at)
            try:
                ACTIONS[action](root)
            except (StorageFull, OSError):
                pass
        expected = models[1] if action == "restore" and layout.versions(root)[-1] > 4 else models[-1]
        if action == "repair":
            repair(root, indexing=SMALL)
        check(Collection.open(root), expected, queries=1)
        Collection.open(root).verify()
        if faults.count < at:
            break
    assert at > 3


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_none_of_it_while_another_writes(tmp_path: Path, action: str) -> None:
    root = tmp_path / "i"
    grown(root, commits=3)
    with writer(root), pytest.raises(IndexLocked, match="another process is writing"):
        ACTIONS[action](root)
