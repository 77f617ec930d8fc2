"""The two verbs as a script meets them: what is written, what is said, and what a bad line costs."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from tests.cli.test_cli import run

PAIRS = [
    {"query": "when does the ferry leave", "positive": "the ferry does leave at nine", "group": "a"},
    {"query": "when does the bus leave", "positive": "the bus leaves when it is full", "group": "a"},
    {"query": "how long does dough rest", "positive": "let the dough rest for an hour"},
    {"query": "secret question", "positive": "the train does leave at ten"},
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)), encoding="utf-8")
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "queries.jsonl").write_text('{"_id": "1", "text": "Secret question?"}\n')
    return tmp_path


def test_mine_then_distill(home: Path) -> None:
    done = run("mine", "pairs.jsonl", "--out", "mined.jsonl.xz", "--model", "hash", "--negatives", "2", "--bm25",
               "--check-leaks", "eval", cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "left out: shares a query with an evaluation set" in done.stderr
    assert "of 4 lines written to mined.jsonl.xz" in done.stderr
    mined = [json.loads(line) for line in lzma.open(home / "mined.jsonl.xz")]
    assert [row["query"] for row in mined] == [row["query"] for row in PAIRS[:3]]
    assert mined[0]["negatives"][0] == PAIRS[1]["positive"]
    assert "the train does leave at ten" not in {text for row in mined for text in row["negatives"]}
    done = run("distill", "mined.jsonl.xz", "--out", "scored.jsonl", "--teacher", "hash+bm25:0.3", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    scored = [json.loads(line) for line in (home / "scored.jsonl").read_text(encoding="utf-8").splitlines()]
    assert report["lines"] == report["scored"] + report["alone"] == len(scored) == 3
    assert [len(row["scores"]) for row in scored] == [1 + len(row["negatives"]) for row in mined]
    assert scored[0]["scores"][0] == max(scored[0]["scores"]) == 1.0


def test_groups_can_be_kept_out(home: Path) -> None:
    done = run(
        "mine", "pairs.jsonl", "--out", "m.jsonl", "--model", "hash", "--same-group", "exclude", "--json", cwd=home
    )
    report = json.loads(done.stdout)
    assert report["lines"] == report["mined"] + report["few"] == 4
    mined = [json.loads(line) for line in (home / "m.jsonl").read_text(encoding="utf-8").splitlines()]
    assert PAIRS[1]["positive"] not in mined[0]["negatives"]
    assert PAIRS[0]["positive"] not in mined[1]["negatives"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mine", "bad.jsonl", "--out", "o", "--model", "hash"], 3, "bad.jsonl line 2: not JSON"),
        (["mine", "none.jsonl", "--out", "o", "--model", "hash"], 3, "none.jsonl cannot be read"),
        (["mine", "pairs.jsonl", "--out", "o", "--model", "hash", "--depth", "0"], 2, "depth is 0; expected more"),
        (["mine", "pairs.jsonl", "--out", "o", "--model", "hash", "--check-leaks", "."], 3, "expected BEIR layout"),
        (["distill", "bad.jsonl", "--out", "o", "--teacher", "hash"], 3, "bad.jsonl line 2: not JSON"),
        (["distill", "pairs.jsonl", "--out", "o", "--teacher", "hash+bm25:7"], 2, "share of 7.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(home: Path, arguments: list[str], code: int, message: str) -> None:
    (home / "bad.jsonl").write_text(json.dumps(PAIRS[0]) + "\n{\n")
    done = run(*arguments, cwd=home)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "o").exists()


def test_adapting_says_what_it_needs(home: Path) -> None:
    for arguments in (["--adapt", "index"], ["c.toml", "--adapt", "index", "--out", "o"], []):
        done = run("train", *arguments, cwd=home)
        assert done.returncode == 2
        assert "--adapt INDEX" in done.stderr
    done = run("train", "--adapt", "no-index", "--out", "o", cwd=home)
    assert done.returncode == 3
    assert "no-index" in done.stderr
    assert not (home / "o").exists()
