"""Every file of an index damaged in every way: an error that names the file, never a wrong answer, never a crash.

The long run: `C2VSEARCH_FLIPS=2000 python -m pytest -m slow tests/collection/test_damage.py` (about so many
damages; 600 by default).
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from c2vsearch.collection import Collection, layout
from c2vsearch.collection.maintenance import repair, restore
from c2vsearch.config import IndexingConfig, SearchConfig
from c2vsearch.errors import C2VSearchError, CorruptFile, IncompatibleVersion
from c2vsearch.records import Hit
from c2vsearch.search.pipeline import search
from c2vsearch.search.query import Query
from tests.collection.builder import ENCODER, SMALL, Model, build, check, chunks_of, put, use, writer

FLIPS = int(os.environ.get("C2VSEARCH_FLIPS", "600"))
MODES = ("dense", "bm25", "hybrid")
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


def answers(root: Path, mode: str) -> list[list[Hit]]:
    """What a person gets, from an index opened anew."""
    config = SearchConfig(mode=mode, k=3, candidates=5)
    with Collection.open(root) as opened:
        return [
            search(opened, Query(query), vector=ENCODER.encode_queries([query])[0], config=config)
            for query in ("ferry island", "the kettle by the lantern", "orchard")
        ]


def damages(times: int) -> list[Callable[[bytes, random.Random], bytes]]:
    """Mostly flipped bits, of every fifth a file cut short or grown."""
    return [(cut, grow)[number // 5 % 2] if number % 5 == 4 else flip for number in range(times)]


def damage_and_look(root: Path, place: Path, *, times: int, mended: int) -> Counter[str]:
    """Damage each kind of file so often, and the first few times mend it; what became of the queries."""
    truth = {mode: answers(root, mode) for mode in MODES}
    # Until they are merged away, deleted documents count in the statistics of BM25; an index made anew has none.
    shutil.rmtree(Path(shutil.copytree(root, place)) / "lexical")
    repair(place, indexing=SMALL)
    anew = {mode: answers(place, mode) for mode in MODES}
    assert anew["dense"] == truth["dense"]
    newest = Collection.open(root).manifest.version
    manifest = layout.manifest_path(root, newest).relative_to(root).as_posix()
    kinds: dict[str, list[str]] = {}
    for name in [manifest, *entries(root)]:  # every file of the keyword index is a kind of its own
        room = name.split("/")[0]
        kinds.setdefault(f"{room} {Path(name).suffix}" if room == "lexical" else room, []).append(name)
    assert len(kinds) > 10
    chance, seen = random.Random(0), Counter[str]()
    for kind, names in kinds.items():
        for number, damage in enumerate(damages(times)):
            name = chance.choice(names)
            data = (root / name).read_bytes()
            damaged = damage(data, chance)
            (root / name).unlink()  # an older version may share its bytes by a hard link
            (root / name).write_bytes(damaged)
            for mode in MODES:
                try:
                    found = answers(root, mode)
                except (CorruptFile, IncompatibleVersion) as error:
                    seen[f"{kind.split()[0]} named"] += name in str(error)
                else:
                    seen[f"{kind.split()[0]} answered"] += found == truth[mode]
            with pytest.raises((CorruptFile, IncompatibleVersion)) as told:
                Collection.open(root).verify()
            assert name in str(told.value)
            if number < mended:
                shutil.rmtree(place, ignore_errors=True)
                mend(Path(shutil.copytree(root, place)), name, newest, anew if "lexical" in kind else truth)
            (root / name).write_bytes(data)
    assert sum(seen.values()) == len(kinds) * times * len(MODES), seen
    assert {mode: answers(root, mode) for mode in MODES} == truth
    return seen


def mend(root: Path, name: str, newest: int, truth: dict[str, list[list[Hit]]]) -> None:
    """What is made of shards comes back; the rest is refused, and an older version helps where it has none of it."""
    if name.split("/")[0] in {"vectors", "lexical", "sources"}:
        assert repair(root, indexing=SMALL) == [name]
        assert {mode: answers(root, mode) for mode in MODES} == truth
        Collection.open(root).verify()
        return
    with pytest.raises((CorruptFile, IncompatibleVersion), match=name):
        repair(root, indexing=SMALL)
    if name.startswith("versions/"):
        restore(root, newest - 1)
        Collection.open(root).verify()


def test_flipped_bits_never_change_an_answer(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "i"))
    seen = damage_and_look(root, tmp_path / "copy", times=5, mended=1)
    assert {kind for kind, count in seen.items() if count} >= {
        f"{room} named" for room in ("versions", "shards", "vectors", "lexical", "deletes")
    }


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_flipped_bits_never_change_an_answer(tmp_path: Path) -> None:
    """Shards of many blocks, of which a query reads some: what it did not read does not hinder it."""
    model: Model = {f"{n}.md": chunks_of(f"{n}.md", 2000, seed=n) for n in range(12)}
    with writer(tmp_path / "i", indexing=IndexingConfig(rows_per_shard=30_000)) as target:
        for chunks in model.values():
            put(target, chunks)
        target.commit()
    with writer(tmp_path / "i", indexing=IndexingConfig(rows_per_shard=30_000)) as target:
        target.remove_source("3.md")
        target.commit()
    seen = damage_and_look(tmp_path / "i", tmp_path / "copy", times=FLIPS // 10, mended=6)
    assert seen["shards named"]
    assert seen["shards answered"]
    print(dict(seen))  # noqa: T201
