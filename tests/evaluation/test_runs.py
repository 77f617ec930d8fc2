"""Runs as files: `ir_measures` reads them and finds the measures we report."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.evaluation import Evaluation, Questions, read_run, write_runs
from c2vsearch.evaluation.evaluate import measure_run
from c2vsearch.evaluation.runs import MEASURES, QRELS, decoded, encoded, file_names, prepare_folder

ir_measures = pytest.importorskip("ir_measures")
NAMES = ("nDCG@10", "RR@10", "R@100")
QUESTIONS = Questions(
    {"q 1": "x", "q%2": "y", "q3": "never answered"}, {"q 1": {"my notes.md": 2, "b": 1}, "q%2": {"c": 1}, "q3": {"b": 1}}
)  # fmt: skip
RUN = {
    "q 1": {"z": 1.0, "my notes.md": 0.5, "b": 1 / 3},
    "q%2": {"a\u3000b": 1.0, "c": 0.5, **{f"d{rank}": 1.0 / rank for rank in range(3, 300)}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [measure_run(mode, RUN, QUESTIONS, NAMES, model="st:a/b") for mode in ("dense", "hybrid")]
    paths = write_runs(tmp_path / "runs", rows, QUESTIONS)
    assert [path.name for path in paths] == ["st-a-b.dense.run", "st-a-b.hybrid.run"]
    return tmp_path / "runs"


def test_ir_measures_finds_our_measures_in_the_files(folder: Path) -> None:
    qrels = list(ir_measures.read_trec_qrels(str(folder / QRELS)))
    run = list(ir_measures.read_trec_run(str(folder / "st-a-b.dense.run")))
    expected = measure_run("dense", RUN, QUESTIONS, NAMES)
    found = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in NAMES], qrels, run)
    assert {str(measure): value for measure, value in found.items()} == pytest.approx(
        {name: expected.mean(name) for name in NAMES}
    )


def test_a_run_is_read_back_as_it_was(folder: Path) -> None:
    assert read_run(folder / "st-a-b.hybrid.run") == RUN
    ranks = [line.split()[3] for line in (folder / "st-a-b.hybrid.run").read_text().splitlines()[3:]]
    assert ranks == [str(rank) for rank in range(1, 300)]


def test_the_measures_of_each_query(folder: Path) -> None:
    with (folder / MEASURES).open(newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    expected = measure_run("dense", RUN, QUESTIONS, NAMES)
    assert [(row["model"], row["mode"], row["query"]) for row in rows[:3]] == [
        ("st:a/b", "dense", query) for query in QUESTIONS.queries
    ]
    assert [float(row["nDCG@10"]) for row in rows[:3]] == pytest.approx(expected.values["nDCG@10"], abs=1e-6)
    assert len(rows) == 6


@pytest.mark.parametrize("name", ["a", "a b", "50%", "%20", "a\tb\nc", "na\u00efve\u00a0", "\udcff.md", "\u2028"])
def test_ids_survive_white_space_and_odd_bytes(name: str) -> None:
    assert len(encoded(name).split()) == 1
    encoded(name).encode("utf-8")
    assert decoded(encoded(name)) == name


def test_files_have_names_of_their_own() -> None:
    rows = [Evaluation("dense", (), {}, model) for model in ("a/b", "a b", "/x" * 200, "", "a-b")]
    names = file_names(rows)
    assert len(set(names)) == 5
    assert all(0 < len(name) <= 130 and "/" not in name for name in names)


def test_what_is_no_run_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.run").write_text("q Q0 d 1 0.5 tag\nq Q0 d 1 high tag\n")
    with pytest.raises(InvalidDataset, match=r"a\.run line 2: expected query, Q0"):
        read_run(tmp_path / "a.run")
    with pytest.raises(InvalidDataset, match="cannot be read"):
        read_run(tmp_path / "b.run")
    with pytest.raises(InvalidConfig, match="cannot be made a folder"):
        prepare_folder(tmp_path / "a.run" / "below")
