from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from c2vsearch.collection import Collection, layout, open_shards, sweep
from c2vsearch.collection.manifest import FileEntry
from c2vsearch.errors import IncompatibleVersion, IndexNotFound, InvalidConfig
from c2vsearch.index import analysis
from tests.collection.builder import ENCODER, build, change, check, chunks_of, files, use, writer

MODEL = {f"{n}.md": chunks_of(f"{n}.md", 5, seed=n) for n in range(6)}
QUERY = ENCODER.encode_queries(["ferry island"])[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built") / "i"
    build(place, MODEL)
    return place


def test_rows_come_in_the_order_asked_for(root: Path) -> None:
    opened = Collection.open(root)
    pairs = list(opened.iter_rows())
    wanted = [pairs[at] for at in (29, 0, 13, 13, 7)]
    rows = [row for row, _ in wanted]
    assert opened.chunks(rows) == [chunk for _, chunk in wanted]
    expected = ENCODER.encode_documents([chunk.text for _, chunk in wanted]).astype(np.float16)
    np.testing.assert_array_equal(opened.vectors(rows).astype(np.float16), expected)
    assert opened.chunks([]) == []
    assert opened.vectors([]).shape == (0, 16)


def test_a_chunk_is_its_own_nearest(root: Path) -> None:
    opened = Collection.open(root)
    for row, _ in opened.iter_rows():
        [best] = opened.search_vectors(opened.vectors([row])[0], k=1)
        assert opened.vectors([best.row])[0] == pytest.approx(opened.vectors([row])[0])
        assert 0.999 < best.score <= 1.0


@pytest.mark.parametrize("query", [np.zeros(15), np.zeros((1, 16)), np.full(16, np.nan), np.full(16, np.inf)])
def test_a_query_of_another_shape_or_not_finite_is_refused(root: Path, query: np.ndarray) -> None:
    with pytest.raises(InvalidConfig, match=r"expected \(16,\) of finite numbers"):
        Collection.open(root).search_vectors(query.astype(np.float32), k=3)


@pytest.mark.parametrize("k", [0, -1, 10**9])
def test_any_k(root: Path, k: int) -> None:
    opened = Collection.open(root)
    assert len(opened.search_vectors(QUERY, k=k)) == (30 if k > 0 else 0)
    assert (len(opened.search_text("ferry", k=k)) > 0) == (k > 0)


def test_two_searches_give_one_answer(root: Path) -> None:
    first, second = Collection.open(root), Collection.open(root)
    assert first.search_vectors(QUERY, k=9) == second.search_vectors(QUERY, k=9)
    assert first.search_text("ferry kettle", k=9) == second.search_text("ferry kettle", k=9)


def test_few_files_are_open_at_a_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_shards, "OPEN_SHARDS", 2)
    opened = Collection.open(root)
    before = len(os.listdir("/proc/self/fd"))
    check(opened, MODEL)
    assert len(os.listdir("/proc/self/fd")) <= before + 4
    opened.close()
    check(opened, MODEL, queries=1)  # what is asked for is opened again


def test_reading_changes_nothing(root: Path) -> None:
    before = files(root)
    use(root)
    Collection.open(root).verify()
    assert files(root) == before


def test_a_keyword_search_needs_no_faiss(root: Path) -> None:
    program = (
        "import sys; from c2vsearch.collection import Collection\n"
        "with Collection.open(sys.argv[1]) as opened:\n"
        "    assert opened.chunks([hit.row for hit in opened.search_text('ferry', k=3)])\n"
        "print([name for name in ('faiss', 'torch', 'onnxruntime') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(root)], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_a_reader_stays_with_its_version(tmp_path: Path) -> None:
    build(tmp_path / "i", MODEL)
    early, late = Collection.open(tmp_path / "i"), Collection.open(tmp_path / "i")
    check(early, MODEL, queries=1)
    build(tmp_path / "i", {"new.md": chunks_of("new.md", 4, seed=5)})
    check(early, MODEL, queries=1)
    check(late, MODEL, queries=1)  # it had loaded nothing yet


def test_a_version_that_was_swept_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(sweep, "PENDING_SECONDS", 0.0)
    build(tmp_path / "i", MODEL)
    loaded, unloaded = Collection.open(tmp_path / "i"), Collection.open(tmp_path / "i")
    check(loaded, MODEL)
    for step in range(sweep.KEEP_VERSIONS + 1):
        build(tmp_path / "i", {"new.md": chunks_of("new.md", 4, seed=step)})
    check(loaded, MODEL)  # files that are open stay readable
    for action in (
        lambda: unloaded.search_vectors(QUERY, k=1), lambda: unloaded.search_text("ferry", k=1),
        lambda: list(unloaded.iter_chunks()), lambda: unloaded.sources,
    ):  # fmt: skip
        with pytest.raises(IndexNotFound, match="version 1 of .* was removed while it was open; open the index again"):
            action()


@pytest.mark.parametrize("kind", ["vectors", "lexical", "deletes", "sources"])
def test_a_version_swept_between_the_check_of_a_file_and_its_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    build(tmp_path / "i", MODEL)
    with writer(tmp_path / "i") as target:
        target.remove_source("1.md")
        target.commit()
    verified = Collection.verified

    def swept_then(self: Collection, entry: FileEntry) -> Path:
        path = verified(self, entry)
        if entry.name.startswith(kind):
            layout.manifest_path(self.root, 2).unlink(missing_ok=True)
            shutil.rmtree(self.root / kind)
            (self.root / kind).mkdir()
        return path

    monkeypatch.setattr(Collection, "verified", swept_then)
    opened = Collection.open(tmp_path / "i")
    with pytest.raises(IndexNotFound, match="version 2 of .* was removed while it was open; open the index again"):
        {
            "vectors": lambda: opened.search_vectors(QUERY, k=1), "lexical": lambda: opened.search_text("ferry", k=1),
            "deletes": lambda: opened.deletes, "sources": lambda: opened.sources,
        }[kind]()  # fmt: skip


def test_readers_never_see_a_mixture(tmp_path: Path) -> None:
    root = tmp_path / "i"
    model = dict(MODEL)
    models = {build(root, model): model}
    wrong: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                opened = Collection.open(root)
                live = {chunk.id for chunk in opened.iter_chunks()}
                hits = [*opened.search_vectors(QUERY, k=99), *opened.search_text("ferry", k=99)]
                assert {chunk.id for chunk in opened.chunks([hit.row for hit in hits])} <= live
                seen.append((opened.manifest.version, frozenset(live)))
            except BaseException as error:
                wrong.append(error)
                return

    seen: list[tuple[int, frozenset[str]]] = []
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(8):
        with writer(root) as target:
            model = change(target, model, seed=step)
            models[target.commit()] = model
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) > 2
    for version, live in seen:
        assert live == {chunk.id for chunks in models[version].values() for chunk in chunks}


def test_terms_made_in_another_way_are_refused_by_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Collection.open(root)
    monkeypatch.setattr(analysis, "analysis_name", lambda: "words-4")
    with pytest.raises(
        IncompatibleVersion,
        match=r"analysis 'words-nfkc-.*'; this version of c2vsearch uses 'words-4'.*the next `c2vsearch index`",
    ):
        opened.search_text("ferry", k=3)


def test_the_next_commit_makes_the_terms_anew(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(shutil.copytree(root, tmp_path / "i"))
    monkeypatch.setattr("c2vsearch.index.analysis.analysis_name", lambda: "words-4")
    monkeypatch.setattr("c2vsearch.collection.keywords.analysis_name", lambda: "words-4")
    model = {**MODEL, "new.md": chunks_of("new.md", 2, seed=1)}
    build(place, model)
    check(Collection.open(place), model)


def test_a_commit_without_a_change_makes_the_terms_anew(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(root, tmp_path / "i"))
    before = Collection.open(place).manifest
    with writer(place) as target:
        assert target.commit() == before.version
    monkeypatch.setattr("c2vsearch.index.analysis.analysis_name", lambda: "words-4")
    monkeypatch.setattr("c2vsearch.collection.keywords.analysis_name", lambda: "words-4")
    with writer(place) as target:
        assert target.commit() == before.version + 1
    after = Collection.open(place)
    assert after.manifest.lexical.analysis == "words-4"
    assert after.manifest.shards == before.shards
    check(after, MODEL)


def test_sizes(root: Path) -> None:
    stats = Collection.open(root).stats()
    assert (stats.version, stats.versions, stats.chunks, stats.deleted) == (1, (1,), 30, 0)
    assert (stats.shards, stats.segments) == (5, 1)
    on_disk = {room: sum(p.stat().st_size for p in (root / room).rglob("*") if p.is_file()) for room in layout.ROOMS}
    assert (stats.bytes_shards, stats.bytes_vectors) == (on_disk["shards"], on_disk["vectors"])
    assert stats.bytes_lexical == on_disk["lexical"]
