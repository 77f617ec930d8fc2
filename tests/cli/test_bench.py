from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c2vsearch.cli.app import app
from c2vsearch.collection import Collection
from tests.collection.builder import build, chunks_of, files
from tests.index.gpu_standins import Devices

RUNNER = CliRunner()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 1)
    build(tmp_path / "i", {f"f{number}.md": chunks_of(f"f{number}.md", 30, seed=number) for number in range(10)})
    return tmp_path / "i"


def test_each_kind_is_measured_and_the_index_stays_as_it_was(root: Path, tmp_path: Path) -> None:
    before = files(root)
    picture = tmp_path / "curves.png"
    arguments = [
        "bench",
        "--index",
        str(root),
        "--kind",
        "SQfp16",
        "--kind",
        "IVF4,SQ8",
        "--json",
        "--plot",
        str(picture),
    ]
    result = RUNNER.invoke(app, arguments, catch_exceptions=False)
    exact, lists = json.loads(result.stdout)
    assert (exact["kind"], lists["kind"]) == ("SQfp16", "IVF4,SQ8")
    assert [point["recall"] for point in exact["points"]] == [1.0]
    assert exact["points"][0]["setting"] == {"effort": 0, "depth": 20}
    recalls = [point["recall"] for point in lists["points"]]
    assert recalls == sorted(set(recalls))
    assert recalls[-1] == 1.0  # every list, of 300 rows
    assert exact["size_bytes"] > 300 * 2 * 16
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert files(root) == before


def test_the_table_compares_at_the_recall_that_is_wanted(root: Path) -> None:
    result = RUNNER.invoke(app, ["bench", "--index", str(root), "--kind", "SQfp16", "--rows", "100"])
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.strip().startswith("exact (SQfp16)"))
    assert line.split()[2] == "1.000"


def test_too_little_to_measure_and_a_kind_for_more_are_refused(tmp_path: Path, root: Path) -> None:
    build(tmp_path / "small", {"a.md": chunks_of("a.md", 5, seed=1)})
    few = RUNNER.invoke(app, ["bench", "--index", str(tmp_path / "small")])
    assert "has 5 chunks; expected at least 20" in str(few.exception)
    many = RUNNER.invoke(app, ["bench", "--index", str(root), "--kind", "IVF512,SQ8"])
    assert "is trained on 512 rows and there are 300" in str(many.exception)


def test_few_chunks_are_searched_exactly_and_that_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.index.candidates.ROWS_PER_CENTRE", 39)
    result = RUNNER.invoke(app, ["bench", "--index", str(root)])
    assert result.exit_code == 0
    assert "no other kind is tried" in result.stderr
    assert "IVF" not in result.stdout


def test_a_point_says_which_is_quickest_for_a_recall(root: Path, tmp_path: Path) -> None:
    from c2vsearch.evaluation.index_curves import index_curves

    (tmp_path / "work").mkdir()
    [curve] = index_curves(Collection.open(root), tmp_path / "work", encode=None, rows=300, names=["IVF4,SQ8"])
    found = curve.at(0.9)
    assert found is not None
    assert found == min((point for point in curve.points if point.recall >= 0.9), key=lambda point: point.latency_ms)
    assert curve.at(1.01) is None


def test_kinds_are_built_and_asked_on_a_gpu(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = RUNNER.invoke(app, ["bench", "--index", str(root), "--kind", "IVF4,SQ8", "--json"], catch_exceptions=False)
    devices = Devices(monkeypatch)
    arguments = ["bench", "--index", str(root), "--kind", "IVF4,SQ8", "--json", "--device", "cuda"]
    moved = RUNNER.invoke(app, arguments, catch_exceptions=False)
    assert devices.copied[0].asked > 0
    [[one], [other]] = json.loads(plain.stdout), json.loads(moved.stdout)
    assert one["points"][-1]["recall"] == other["points"][-1]["recall"] == 1.0


def test_a_device_that_is_not_there_is_refused(root: Path) -> None:
    for verb in (["bench"], ["query", "ferry"]):
        result = RUNNER.invoke(app, [*verb, "--index", str(root), "--device", "cuda:0"])
        assert "FAISS sees 0 GPUs" in str(result.exception)
