from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from c2vsearch import artifacts
from c2vsearch.collection import Collection, layout
from c2vsearch.collection.manifest import _seal, read_manifest
from c2vsearch.collection.roots import Root
from c2vsearch.errors import C2VSearchError, CorruptFile, IncompatibleVersion, IndexNotFound
from tests.collection.builder import build, chunks_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built") / "i"
    build(place, {"a.md": chunks_of("a.md", 20, seed=1)})
    build(place, {"a.md": chunks_of("a.md", 20, seed=1)[:15], "b.md": chunks_of("b.md", 3, seed=1)})
    return place


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "i"))


def rewrite(root: Path, change: object, *, version: int = 2, sealed: bool = True) -> None:
    """Put another manifest in place of a version's, with a seal that fits: somebody did it on purpose."""
    path = layout.manifest_path(root, version)
    data = json.loads(path.read_bytes())
    data.pop("sha256")
    change(data)  # type: ignore[operator]
    path.write_bytes(artifacts.to_json({**data, "sha256": _seal(data)} if sealed else data))


def test_a_manifest_comes_back_as_it_was_written(root: Path) -> None:
    path = layout.manifest_path(root, 2)
    manifest = read_manifest(path)
    assert manifest.to_bytes() == path.read_bytes()
    assert (manifest.version, manifest.parent, manifest.roots) == (2, 1, (Root(path="/corpus"),))
    assert {entry.name for entry in manifest.files()} <= {p.relative_to(root).as_posix() for p in root.rglob("*")}


def test_any_flipped_bit_is_an_error(root: Path) -> None:
    path = layout.manifest_path(root, 2)
    data = path.read_bytes()
    chance = random.Random(0)
    told: list[str] = []
    for place in chance.sample(range(len(data)), k=400):
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises((CorruptFile, IncompatibleVersion)) as refused:
            read_manifest(path)
        told.append(str(refused.value))
    assert all(str(path) in message for message in told)


@pytest.mark.parametrize("change", [(b"\n", b""), (b": ", b":"), (b"\n", b"\r\n"), (rb"\udce9", rb"\udcE9")])
def test_the_same_json_in_other_bytes_is_damage_too(root: Path, change: tuple[bytes, bytes]) -> None:
    rewrite(root, lambda data: data["roots"][0].update(path="/caf\udce9"))
    path = layout.manifest_path(root, 2)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(*change))
    assert json.loads(path.read_bytes()) == json.loads(whole)
    assert path.read_bytes() != whole
    with pytest.raises(CorruptFile, match="it is not what was written"):
        read_manifest(path)


@pytest.mark.parametrize("size", [0, 1, 500, -2, -1])
def test_a_manifest_cut_short_is_corrupt(root: Path, size: int) -> None:
    path = layout.manifest_path(root, 2)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CorruptFile, match=r"00000002\.json .*; open an older version with --at 1"):
        Collection.open(root)
    assert Collection.open(root, version=1).manifest.version == 1


def test_the_advice_names_the_last_version_that_can_be_read(root: Path) -> None:
    for version in (1, 2):
        layout.manifest_path(root, version).write_bytes(b"{}")
    with pytest.raises(CorruptFile, match="build the index again with --rebuild"):
        Collection.open(root)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "shards/../../x", "shards//x", "", "shards/..", "C:\\x", "a\0b", "~/x", "./x",
     "shards/a/b/c", "shards/-rf", "..", "shards/x\n", 7, None],
)  # fmt: skip
@pytest.mark.parametrize("place", ["shards", "vectors", "lexical", "sources", "directory"])
def test_a_path_that_leaves_the_index_is_refused(root: Path, name: object, place: str) -> None:
    def point_elsewhere(data: dict) -> None:
        entries = {
            "shards": data["shards"][0], "vectors": data["vectors"][0]["file"], "sources": data["sources"],
            "lexical": data["lexical"]["files"][0], "directory": data["lexical"],
        }  # fmt: skip
        entries[place]["directory" if place == "directory" else "name"] = name

    rewrite(root, point_elsewhere)
    with pytest.raises(CorruptFile, match="is not a manifest of an index"):
        Collection.open(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["shards"][0].update(rows=-1),
        lambda data: data["shards"][0].update(rows="7"),
        lambda data: data["shards"][0].update(size_bytes=1.5),
        lambda data: data["shards"].append(data["shards"][0]),
        lambda data: data["shards"].pop(),
        lambda data: data["vectors"].append(data["vectors"][0]),
        lambda data: data["vectors"].clear(),
        lambda data: data["vectors"][0]["rows"].reverse(),
        lambda data: data["vectors"][0]["shards"].pop(),
        lambda data: data["counts"].update(chunks=1),
        lambda data: data.update(version=3),
        lambda data: data.update(chunking={"max_tokens": 1}),
        lambda data: data.update(fingerprint=None),
        lambda data: data.pop("created"),
        lambda data: data["lexical"]["files"][0].update(name="shards/elsewhere"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(root: Path, change: object) -> None:
    rewrite(root, change)
    with pytest.raises(CorruptFile, match="is not a manifest of an index"):
        read_manifest(layout.manifest_path(root, 2))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": 2}', "[" * 100_000, '{"format": "one"}'])
def test_other_json_is_corrupt(root: Path, text: str) -> None:
    layout.manifest_path(root, 2).write_text(text)
    with pytest.raises(CorruptFile):
        Collection.open(root)


def test_a_later_format_says_to_upgrade_and_who_wrote_it(root: Path) -> None:
    rewrite(root, lambda data: data.update(format=99, written_by="9.9.9"))
    with pytest.raises(
        IncompatibleVersion, match=r"format 99 \(it was written by c2vsearch 9\.9\.9\).*upgrade c2vsearch"
    ):
        Collection.open(root)


def test_two_manifests_that_changed_places_are_noticed(root: Path) -> None:
    first, second = layout.manifest_path(root, 1), layout.manifest_path(root, 2)
    first_bytes, second_bytes = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_bytes)
    second.write_bytes(first_bytes)
    for version in (1, 2):
        with pytest.raises(C2VSearchError, match="is not a manifest of an index: it is version"):
            Collection.open(root, version=version)


def test_what_is_not_there_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="has no version 9; it has 1, 2"):
        Collection.open(root, version=9)
    with pytest.raises(IndexNotFound, match="no index at .*; build one with: c2vsearch index DIR"):
        Collection.open(tmp_path / "nowhere")
