"""Every file of an index damaged in every way: an error that names the file, never a wrong answer, never a crash."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from c2vsearch.collection import Collection
from c2vsearch.errors import C2VSearchError, CorruptFile
from tests.collection.builder import build, check, chunks_of, use, writer

MODEL = {f"{n}.md": chunks_of(f"{n}.md", 5, seed=n) for n in range(8)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built") / "i"
    build(place, MODEL)
    with writer(place) as target:
        target.remove_source("1.md")
        target.commit()
    check(Collection.open(place), {name: chunks for name, chunks in MODEL.items() if name != "1.md"})
    return place


def entries(root: Path) -> list[str]:
    return [entry.name for entry in Collection.open(root).manifest.files()]


def flip(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def grow(data: bytes, chance: random.Random) -> bytes:
    return data + chance.randbytes(1 + chance.randrange(99))


def zero(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    damaged = data[:start] + bytes(len(data) - start)
    return damaged if damaged != data else flip(data, chance)


@pytest.mark.parametrize("damage", [flip, cut, grow, zero])
def test_a_damaged_file_is_named(built: Path, tmp_path: Path, damage: Callable[[bytes, random.Random], bytes]) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    rooms = {name.split("/")[0] for name in entries(root)}
    assert rooms == {"shards", "vectors", "lexical", "deletes", "sources"}
    chance = random.Random(0)
    for name in entries(root):
        path = root / name
        data = path.read_bytes()
        for _ in range(4 if damage is flip else 1):
            path.write_bytes(damage(data, chance))
            with pytest.raises(CorruptFile) as read:
                use(root)
            assert name in str(read.value)
            assert "build the index again" in str(read.value)
            with pytest.raises(CorruptFile, match=name):
                Collection.open(root).verify()
        path.write_bytes(data)
    use(root)


def test_a_missing_file_is_named(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    for name in entries(root):
        (root / name).rename(tmp_path / "aside")
        with pytest.raises(CorruptFile, match=f"{name} is missing"):
            use(root)
        with pytest.raises(CorruptFile, match=f"{name} is missing"):
            Collection.open(root).verify()
        (tmp_path / "aside").rename(root / name)
    use(root)


def test_a_directory_or_a_dead_link_in_place_of_a_file_is_an_error(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    for name in entries(root):
        (root / name).rename(tmp_path / "aside")
        (root / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(CorruptFile, match=name):
            use(root)
        (root / name).unlink()
        (root / name).mkdir()
        with pytest.raises(CorruptFile, match=name):
            use(root)
        (root / name).rmdir()
        (tmp_path / "aside").rename(root / name)


def test_shards_that_changed_places_are_noticed(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    first, second, *_ = sorted((root / "shards").iterdir())
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    with pytest.raises(CorruptFile):
        use(root)


def test_the_other_legs_still_answer(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    shutil.rmtree(root / "vectors")
    hits = Collection.open(root).search_text("ferry", k=3)
    assert hits == Collection.open(built).search_text("ferry", k=3)


def test_verify_names_all_that_is_damaged(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    names = [entries(root)[0], entries(root)[-1]]
    for name in names:
        (root / name).write_bytes(b"")
    with pytest.raises(CorruptFile) as error:
        Collection.open(root).verify()
    assert all(name in str(error.value) for name in names)


def test_verify_counts_the_files_it_compared(built: Path) -> None:
    assert Collection.open(built).verify() == len(entries(built))


def test_a_store_copied_while_it_was_written_opens_or_says_what_is_missing(built: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(built, tmp_path / "i"))
    names = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())
    for seed in range(6):
        part = tmp_path / f"part{seed}"
        for name in random.Random(seed).sample(names, k=len(names) * 2 // 3):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(whole / name, part / name)
        with pytest.raises(C2VSearchError):
            use(part)
