"""Reranking from the command line: with and without a value, what moved, what could not be had."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_cli import run
from tests.tiny_rerankers import save_cross_encoder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    (place / "docs").mkdir()
    for number in range(9):
        text = f"# Ferry {number}\n\nThe ferry leaves at {number}. " + "Late boat. " * number
        (place / "docs" / f"{number}.md").write_text(text)
    assert run("index", "docs", "--model", "hash", cwd=place).returncode == 0
    save_cross_encoder(place / "cross")
    return place


def test_hits_say_where_they_came_from(home: Path) -> None:
    plain = run("query", "late ferry", "--json", "--explain", cwd=home)
    ranks = {hit["path"]: hit["rank"] for hit in json.loads(plain.stdout)}
    done = run("query", "late ferry", "--reranker", "cross", "--rerank-candidates", "5", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    moves = re.findall(r"^ *(\d+)  \d\.\d{3}  (\d\.md):\S+  (?:(\d+) -> (\d+)|not reranked)", done.stdout, re.MULTILINE)
    assert len(moves) == 9
    for number, path, before, after in moves:
        assert (before, after) == ((str(ranks[path]), number) if int(number) <= 5 else ("", ""))
    assert sorted(int(before) for _, _, before, _ in moves[:5]) == [1, 2, 3, 4, 5]
    found = json.loads(run("query", "late ferry", "--reranker", "cross", "--json", "--explain", cwd=home).stdout)
    assert [hit["stages"][-1]["stage"] for hit in found] == ["rerank"] * 9
    assert "->" not in run("query", "late ferry", cwd=home).stdout


def test_auto_says_that_it_was_not_done_and_yes_is_an_error(home: Path) -> None:
    plain = json.loads(run("query", "late ferry", "--json", "--explain", cwd=home).stdout)
    auto = run("query", "late ferry", "--rerank", "auto", "--reranker", "./nothing", "--json", "--explain", cwd=home)
    assert auto.returncode == 0
    assert auto.stderr == (
        "c2vsearch: not reranked: no folder at './nothing'; expected the folder of a reranker, or its name on the hub\n"
    )
    assert json.loads(auto.stdout) == plain
    shown = run("query", "late ferry", "--rerank=auto", "--reranker", "./nothing", cwd=home)
    assert len(re.findall(r"^ *\d+  \d\.\d{3}  \d\.md:\S+  not reranked", shown.stdout, re.MULTILINE)) == 9
    for arguments in (["--reranker", "./nothing"], ["--rerank", "yes", "--reranker", "./nothing"]):
        done = run("query", "late ferry", *arguments, cwd=home)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("c2vsearch: no folder at './nothing'")


def test_without_a_value_it_means_yes(home: Path) -> None:
    done = run("query", "--rerank", "late ferry", cwd=home)
    assert done.returncode == 2
    assert "the model hash" in done.stderr  # the fake has no token states
    assert "no token states" in done.stderr
    assert run("query", "--no-rerank", "late ferry", "--reranker", "./nothing", cwd=home).returncode == 0
    assert run("query", "late", "--rerank=perhaps", cwd=home).returncode == 2


def test_no_candidates_and_no_time_are_refused(home: Path) -> None:
    for option, value in (("--rerank-candidates", "0"), ("--rerank-budget-ms", "0")):
        done = run("query", "late ferry", "--reranker", "cross", option, value, cwd=home)
        assert done.returncode == 2
        assert f"{option.strip('-').replace('-', '_')} is {float(value):.0f}" in done.stderr.replace("0.0", "0")


def test_a_reranker_is_measured(home: Path) -> None:
    pytest.importorskip("ir_measures")
    (home / "queries.jsonl").write_text('{"_id": "q", "text": "late ferry"}\n')
    (home / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t3.md\t1\n")
    done = run(
        "evaluate", "docs", "--model", "hash", "--queries",
        "queries.jsonl", "--qrels", "qrels.tsv", "--reranker", "cross", "--json", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["mode"] for row in json.loads(done.stdout)["results"]] == ["hybrid", "rerank"]
