"""`--task` and `--instruction` from the outside: recorded, shown, followed, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c2vsearch import load_encoder
from c2vsearch.collection import Collection
from c2vsearch.errors import InvalidConfig
from c2vsearch.task import TASKS, Task
from tests.cli.test_cli import run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with questions that were indexed for duplicates."""
    place = tmp_path_factory.mktemp("home")
    docs = place / "docs"
    docs.mkdir()
    (docs / "ferry.txt").write_text("When does the ferry leave?\n")
    (docs / "bread.txt").write_text("How long does dough have to rest?\n")
    done = run("index", "docs", "--task", "duplicate", "--quiet", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


def test_status_shows_the_task(home: Path) -> None:
    recorded = json.loads(run("status", "--json", cwd=home).stdout)["task"]
    assert recorded == {"name": "duplicate", "instruction": TASKS["duplicate"].instruction, "symmetric": True}
    shown = " ".join(run("status", cwd=home).stdout.split())
    assert f"task {TASKS['duplicate']} version 1 of" in shown


def test_documents_and_queries_are_instructed(home: Path) -> None:
    text = "How long does dough have to rest?"
    found = run("query", text, "--mode", "dense", "--json", cwd=home)
    assert found.stderr == ""
    hits = {hit["path"]: hit["score"] for hit in json.loads(found.stdout)}
    assert hits["bread.txt"] == pytest.approx(1.0, abs=2e-3)  # the same text behind the same instruction
    [row] = load_encoder().encode_queries([text], instruction=TASKS["duplicate"].instruction)
    shard = Collection.open(home / "indexes" / "docs").shard(0)
    assert hits == pytest.approx(
        dict(zip(shard.column("source"), (shard.vectors_at([0, 1]) @ row).tolist(), strict=True)), abs=2e-3
    )


def test_a_query_of_another_task_is_told_what_that_means(home: Path) -> None:
    done = run("query", "ferry", "--task", "qa", "-l", "-k", "1", cwd=home)
    assert (done.returncode, done.stdout) == (0, "ferry.txt\n")
    assert "documents of this index are instructed as well, for the task duplicate" in " ".join(done.stderr.split())
    assert run("query", "ferry", "--task", "duplicate", "-l", cwd=home).stderr == ""
    assert run("query", "ferry", "--task", "qa", "--mode", "bm25", "-l", cwd=home).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["index", "docs", "--task", "qa"], 5, "leave --task out to keep that of the index, or add --rebuild"),
        (["index", "docs", "--instruction", "find it"], 5, "this run embeds them without an instruction"),
        (["index", "docs", "--dry-run", "--task", ""], 5, "add --rebuild"),
        (["index", "docs", "--task", "magic"], 2, "--task is 'magic'; expected one of search, qa, code, duplicate"),
        (["index", "docs", "--task", "qa", "--instruction", "x"], 2, "--task and --instruction were both given"),
        (["query", "x", "--task", "qa", "--instruction", "x"], 2, "--task and --instruction were both given"),
        (["query", "x", "--instruction", " "], 2, "the instruction is ' '; expected words"),
        (["index", "docs", "--index", "x", "--model", "hash", "--task", "similar"], 2, "the model hash cannot instruct"),
    ],
)  # fmt: skip
def test_one_line_and_an_exit_code(home: Path, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments, cwd=home)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (home / "x").exists()


def test_what_the_options_of_index_mean() -> None:
    from c2vsearch.cli.task import task_of_index

    assert task_of_index(None, None) is None
    assert task_of_index("", None) == task_of_index(None, "") == ""
    assert task_of_index("claim", None) == TASKS["fact-check"]
    assert task_of_index(None, "Find the rule") == Task("", "Find the rule")
    with pytest.raises(InvalidConfig, match="both given"):
        task_of_index("", "")
