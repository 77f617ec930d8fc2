"""An index as one file and back: the same answers, the same bytes; nothing unexpected comes out of a file."""

from __future__ import annotations

import errno
import os
import random
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, layout
from c2vsearch.collection.archive import Packed, pack, unpack
from c2vsearch.collection.roots import Root
from c2vsearch.errors import C2VSearchError, CorruptFile, IndexLocked, IndexNotFound, InvalidConfig, StorageFull
from tests.collection.builder import SMALL, Model, build, change, check, chunks_of, files, put, writer
from tests.collection.faults import Faults

OLD: Model = {f"{n}.md": chunks_of(f"{n}.md", 5, seed=n) for n in range(6)}
PIPED = {"piped/notes/a.md": b"at nine", "piped/caf\udce9 100%.md": b"", "piped/z.md": bytes(3_000_000)}


@pytest.fixture(scope="module")
def model() -> Model:
    return {}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """An index of three versions that has every kind of file, and what came through a pipe."""
    root = tmp_path_factory.mktemp("built") / "i"
    build(root, OLD)
    model.update({name: chunks for name, chunks in OLD.items() if name != "1.md"})
    with writer(root, roots=[Root(path="/corpus"), Root(path=f"{root}/piped", label="piped")]) as target:
        target.remove_source("1.md")
        target.commit()
        model["new.md"] = chunks_of("new.md", 3, seed=1)
        put(target, model["new.md"])
        target.commit()
    for name, data in PIPED.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "piped" / ".tmp-unfinished").write_bytes(b"half")
    rooms = {entry.name.split("/")[0] for entry in Collection.open(root).manifest.files()}
    assert rooms == {"shards", "vectors", "lexical", "deletes", "sources"}
    return root


@pytest.fixture
def archive(built: Path, tmp_path: Path) -> Path:
    pack(built, tmp_path / "i.c2v")
    return tmp_path / "i.c2v"


def members(archive: Path) -> list[tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        return [(info, opened.read(info)) for info in opened.infolist()]


def written(archive: Path, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for info, data in entries:
            opened.writestr(info, data, compress_type=info.compress_type)
    return archive


def test_there_and_back(built: Path, archive: Path, tmp_path: Path, model: Model) -> None:
    version = Collection.open(built).manifest
    names = {entry.name for entry in version.files()} | {"versions/00000003.json", *PIPED}
    expected = {name: data for name, data in files(built).items() if name in names}
    assert set(expected) == names
    packed = unpack(archive, tmp_path / "there" / "again")
    root = tmp_path / "there" / "again"
    assert packed == Packed(3, len(names), sum(map(len, expected.values())))
    assert {name: data for name, data in files(root).items() if name != "lock"} == expected
    assert not list(root.rglob(".tmp-*"))
    check(Collection.open(root), model)
    assert Collection.open(root).verify() == len(names) - 4
    roots = [each.path for each in Collection.open(root).manifest.roots]
    assert roots == ["/corpus", f"{root}/piped"]  # as told, but for what lies in the index
    with writer(root) as target:  # and it goes on from there
        changed = change(target, model, seed=7)
        assert target.commit() == 4
    check(Collection.open(root), changed)


def test_the_same_version_gives_the_same_bytes(built: Path, archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "j")
    os.utime(tmp_path / "j" / "versions" / "00000003.json", (1, 1))
    pack(tmp_path / "j", tmp_path / "again.c2v")
    assert (tmp_path / "again.c2v").read_bytes() == archive.read_bytes()
    assert {member.date_time for member, _ in members(archive)} == {(1980, 1, 1, 0, 0, 0)}
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert archive.stat().st_size < 1.05 * sum(len(data) for _, data in members(archive))


def test_an_older_version(built: Path, tmp_path: Path) -> None:
    assert pack(built, tmp_path / "old.c2v", version=1).version == 1
    assert unpack(tmp_path / "old.c2v", tmp_path / "j").version == 1
    check(Collection.open(tmp_path / "j"), OLD)
    with pytest.raises(IndexNotFound, match="no version 9"):
        pack(built, tmp_path / "none.c2v", version=9)


def test_any_tool_reads_it(archive: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "zipfile", "-t", str(archive)], capture_output=True, text=True)
    assert done.stdout.strip() == "Done testing", done.stdout + done.stderr


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    build(tmp_path / "i", OLD)
    (tmp_path / "i" / "piped").mkdir()
    with (tmp_path / "i" / "piped" / "big.md").open("wb") as file:
        file.truncate(300_000_000)
    program = (
        "import resource, sys\n"
        "from c2vsearch.collection.archive import pack, unpack\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "pack(sys.argv[1], sys.argv[2]); unpack(sys.argv[2], sys.argv[3])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    arguments = [str(tmp_path / name) for name in ("i", "i.c2v", "j")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60_000  # KiB


@pytest.mark.parametrize("how", ["flipped", "longer", "missing"])
def test_what_is_damaged_is_not_packed(built: Path, tmp_path: Path, archive: Path, how: str) -> None:
    unpack(archive, tmp_path / "j")
    for entry in Collection.open(tmp_path / "j").manifest.files():
        path = tmp_path / "j" / entry.name
        data = path.read_bytes()
        path.unlink()
        if how != "missing":
            path.write_bytes(data + b"x" if how == "longer" else bytes([data[0] ^ 1]) + data[1:])
        (tmp_path / "j.c2v").write_bytes(b"the one before")
        with pytest.raises(CorruptFile, match=f"{entry.name} .*build the index again"):
            pack(tmp_path / "j", tmp_path / "j.c2v")
        assert (tmp_path / "j.c2v").read_bytes() == b"the one before"
        path.write_bytes(data)
    assert not list(tmp_path.glob(".tmp-*"))


def test_places_an_archive_cannot_have(built: Path, tmp_path: Path) -> None:
    for place in (built / "i.c2v", built / "shards" / "x", built, tmp_path):
        with pytest.raises(InvalidConfig, match="expected a file elsewhere"):
            pack(built, place)
    with pytest.raises(IndexNotFound, match="no index at"):
        pack(tmp_path, tmp_path / "i.c2v")


def test_a_link_among_what_came_through_a_pipe_is_not_followed(tmp_path: Path) -> None:
    build(tmp_path / "i", OLD)
    (tmp_path / "i" / "piped").mkdir()
    (tmp_path / "i" / "piped" / "key.md").symlink_to("/etc/hostname")
    with pytest.raises(InvalidConfig, match=r"key\.md is not a plain file"):
        pack(tmp_path / "i", tmp_path / "i.c2v")
    assert not (tmp_path / "i.c2v").exists()


Entries = list[tuple[zipfile.ZipInfo, bytes]]


def info(
    name: str, *, mode: int = 0o644, kind: int = stat.S_IFREG, compress: int = zipfile.ZIP_STORED
) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr, made.compress_type = (kind | mode) << 16, compress
    return made


def without(room: str) -> Callable[[Entries], Entries]:
    def leave_out(entries: Entries) -> Entries:
        gone = next(each for each in entries if each[0].filename.startswith(room))
        return [each for each in entries if each is not gone]

    return leave_out


def with_data(room: str, new: Callable[[bytes], bytes]) -> Callable[[Entries], Entries]:
    def replace(entries: Entries) -> Entries:
        chosen = next(each for each in entries if each[0].filename.startswith(room))
        return [(each[0], new(each[1])) if each is chosen else each for each in entries]

    return replace


# A small index has nothing to calibrate.
ROOMS = [room for room in layout.ROOMS[1:] if room != layout.QUESTIONS]
FORGERIES: dict[str, tuple[Callable[[Entries], Entries], str]] = {
    "a stranger": (lambda entries: [*entries, (info("run.sh"), b"x")], "holds 'run.sh', which is no file of an index"),
    "a lock": (lambda entries: [*entries, (info("lock"), b"")], "holds 'lock'"),
    "an unnamed shard": (lambda entries: [*entries, (info("shards/0123.parquet"), b"x")], "shards/0123.parquet; expected none"),
    "a second manifest": (lambda entries: [*entries, (info("versions/00000009.json"), b"{}")], "has 2 manifests"),
    "no manifest": (without("versions"), "has 0 manifests"),
    "an absolute path": (lambda entries: [*entries, (info("/tmp/x"), b"x")], "holds '/tmp/x'"),
    "a path that leads out": (lambda entries: [*entries, (info("piped/../../x"), b"x")], r"holds 'piped/\.\./\.\./x'"),
    "an escaped way out": (lambda entries: [*entries, (info("piped/a/%2E%2E/x"), b"x")], "surrogates not allowed"),
    "a hidden file": (lambda entries: [*entries, (info("piped/.ssh"), b"x")], "holds 'piped/.ssh'"),
    "a link": (lambda entries: [*entries, (info("piped/x", kind=stat.S_IFLNK), b"/etc")], "holds 'piped/x': expected plain"),
    "a directory": (lambda entries: [*entries, (info("piped/d/", kind=stat.S_IFDIR), b"")], "expected plain files"),
    "a file as a directory": (lambda entries: [*entries, (info("piped/z.md/x"), b"x")], "as a file and as a directory"),
    "compressed": (
        lambda entries: [*entries, (info("piped/bomb", compress=zipfile.ZIP_DEFLATED), bytes(9999))], "expected plain files, stored",
    ),
    "a name too long": (lambda entries: [*entries, (info("piped/" + "x" * 300), b"x")], "plain paths"),
    **{f"no {room}": (without(room), f"has nothing of {room}/") for room in ROOMS},
    **{
        f"longer {room}": (with_data(room, lambda data: data + b"x"), f"bytes of {room}/.*; expected")
        for room in ROOMS
    },
    **{
        f"other {room}": (with_data(room, lambda data: bytes([data[0] ^ 1]) + data[1:]), f"{room}/.* is not what its manifest says")
        for room in ROOMS
    },
    "another manifest": (with_data("versions", lambda data: data.replace(b"/corpus", b"/etc")), "it is not what was written"),
    "a newer format": (with_data("versions", lambda data: data.replace(b'"format": 2', b'"format": 3')), "upgrade c2vsearch"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_what_a_manifest_does_not_say_does_not_come_out(archive: Path, tmp_path: Path, forgery: str) -> None:
    forge, told = FORGERIES[forgery]
    written(archive, forge(members(archive)))
    (tmp_path / "empty").mkdir()
    before = files(tmp_path)
    for place in (tmp_path / "new", tmp_path / "empty"):
        with pytest.raises(C2VSearchError, match=told) as refused:
            unpack(archive, place)
        assert str(archive) in str(refused.value)
    assert files(tmp_path) == before
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(archive: Path, tmp_path: Path) -> None:
    written(archive, [*members(archive), (info("piped/z.md"), b"other")])
    with pytest.raises(CorruptFile, match=r"'piped/z.md' twice"):
        unpack(archive, tmp_path / "j")


def test_members_that_share_their_bytes(archive: Path, tmp_path: Path) -> None:
    """A bomb that needs no compression: many names for one long run of bytes."""
    with zipfile.ZipFile(archive, "a") as opened:
        long = opened.getinfo("piped/z.md")
        for number in range(3):
            copy = info(f"piped/copy{number}.md")
            copy.header_offset, copy.CRC, copy.file_size, copy.compress_size = (
                long.header_offset, long.CRC, long.file_size, long.file_size,
            )  # fmt: skip
            opened.filelist.append(copy)
            opened.NameToInfo[copy.filename] = copy
        opened._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(CorruptFile, match="share their bytes"):
        unpack(archive, tmp_path / "j")


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(CorruptFile, match="x (is damaged, or no archive|has 0 manifests)"):
        unpack(tmp_path / "x", tmp_path / "j")
    with pytest.raises(InvalidConfig, match="no file at"):
        unpack(tmp_path / "y", tmp_path / "j")
    with pytest.raises(InvalidConfig, match="no file at"):
        unpack(tmp_path, tmp_path / "j")
    assert not (tmp_path / "j").exists()


def test_damaged_anywhere_it_says_so_or_it_does_not_matter(built: Path, archive: Path, tmp_path: Path) -> None:
    """Flips and cuts at seeded places: what comes out is what went in, or nothing."""
    for name in PIPED:
        assert name in files(built)
    written(archive, [each for each in members(archive) if each[0].filename != "piped/z.md"])  # mostly zeros
    unpack(archive, tmp_path / "whole")
    expected = {name: data for name, data in files(tmp_path / "whole").items() if name != "lock"}
    data, chance, refused = archive.read_bytes(), random.Random(0), 0
    for number in range(60):
        damaged = bytearray(data)
        if number % 6:
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        else:
            del damaged[chance.randrange(len(data)) :]
        (tmp_path / "d.c2v").write_bytes(damaged)
        place = tmp_path / f"j{number}"
        try:
            unpack(tmp_path / "d.c2v", place)
        except CorruptFile as error:
            refused += "d.c2v" in str(error) and not place.exists()
        if place.exists():
            assert {name: data for name, data in files(place).items() if name != "lock"} == expected
    assert refused == 60 - len(list(tmp_path.glob("j*"))) > 40


def test_only_an_empty_place_is_filled(built: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.md").write_text("mine")
    build(tmp_path / "index", OLD)
    (tmp_path / "begun" / "piped").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    before = files(tmp_path)
    for place in ("mine", "index", "begun", "file"):
        with pytest.raises(InvalidConfig, match="is not empty|is an index already|is a file"):
            unpack(archive, tmp_path / place)
    assert files(tmp_path) == before


def test_not_while_another_writes_there(archive: Path, tmp_path: Path) -> None:
    with writer(tmp_path / "j"), pytest.raises(IndexLocked, match="another process is writing"):
        unpack(archive, tmp_path / "j")


def test_a_full_disk_leaves_nothing_half(
    archive: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    for action in (lambda: pack(built, tmp_path / "again.c2v"), lambda: unpack(archive, tmp_path / "j")):
        at, told, faults = 0, 0, None
        while faults is None or faults.count >= at:
            at += 1
            before = files(tmp_path)
            with monkeypatch.context() as patches:
                faults = Faults(patches.setattr, full, at=at)
                try:
                    action()
                except StorageFull:
                    there = files(tmp_path)
                    # When syncing the directory fails, the new file is there already, and whole.
                    assert there.pop("again.c2v", archive.read_bytes()) == archive.read_bytes()
                    assert there == {name: data for name, data in before.items() if name != "again.c2v"}, f"touch {at}"
                    assert not (tmp_path / "j").exists()
                    told += 1
        assert told >= 3
    check(Collection.open(tmp_path / "j"), model)


KILLED = """
import os, sys
from pathlib import Path
from c2vsearch.collection.archive import unpack
from tests.collection.faults import Faults
Faults(setattr, lambda: os._exit(9), at=int(sys.argv[3]))
unpack(sys.argv[1], sys.argv[2])
"""


def test_after_a_kill_there_is_no_index_and_the_same_call_makes_it(archive: Path, tmp_path: Path, model: Model) -> None:
    written(archive, [each for each in members(archive) if not each[0].filename.startswith("piped/")])
    for at in (2, 5, 9, 14, 21):
        root = tmp_path / f"j{at}"
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(archive), str(root), str(at)])
        assert done.returncode == 9
        with pytest.raises(IndexNotFound):
            Collection.open(root)
        unpack(archive, root)
        check(Collection.open(root), model, queries=1)
        with writer(root, indexing=SMALL) as target:
            put(target, chunks_of("new.md", 2, seed=1))
            target.commit()
        Collection.open(root).verify()
