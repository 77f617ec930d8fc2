"""`ls`, `get` and `rm` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text("# Ferries\n\nThey leave at nine.\n\nThey return at ten.\n")
    (docs / "r.jsonl").write_text('{"id": "x", "text": "Kelp."}\n{"id": "y", "text": "Salt."}\n{broken\n')
    (docs / "photo.png").write_bytes(b"x")
    assert run("index", "docs", "--model", "hash", cwd=tmp_path).returncode in (0, 1)
    return tmp_path


def test_ls(home: Path) -> None:
    records = {record["path"]: record for record in json.loads(run("ls", "--json", cwd=home).stdout)}
    assert [(name, record["status"], record["documents"]) for name, record in records.items()] == [
        ("ferry.md", "indexed", 1), ("photo.png", "skipped", 0), ("r.jsonl", "indexed", 2),
    ]  # fmt: skip
    shown = run("ls", "*.md", cwd=home).stdout
    assert "ferry.md" in shown
    assert "photo" not in shown
    assert run("ls", "zebra", cwd=home).returncode == 1


def test_get(home: Path) -> None:
    assert run("get", "ferry.md", cwd=home).stdout == "# Ferries\n\nThey leave at nine.\n\nThey return at ten.\n"
    assert run("get", "ferry.md:3", cwd=home).stdout == "They leave at nine.\n"
    assert run("get", "r.jsonl", cwd=home).stdout == "r.jsonl!/x\nr.jsonl!/y\n"
    assert run("get", "r.jsonl!/y", cwd=home).stdout == "Salt.\n"
    missing = run("get", "zebra.md", cwd=home)
    assert missing.returncode == 2
    assert "no text of zebra.md" in missing.stderr
    assert run("get", "ferry.md:9-3", cwd=home).returncode == 2


def test_rm(home: Path) -> None:
    assert run("rm", "ferry.md", cwd=home).stdout == "ferry.md\n"
    assert run("rm", cwd=home).returncode == 2
    run("index", cwd=home)
    assert [record["path"] for record in json.loads(run("ls", "--json", cwd=home).stdout)] == ["photo.png", "r.jsonl"]
    assert run("index", "--exclude", "", "--json", cwd=home).returncode in (0, 1)
    assert run("get", "ferry.md:3", cwd=home).stdout == "They leave at nine.\n"


def test_what_inside_a_file_could_not_be_read_is_listed(home: Path) -> None:
    problems = json.loads(run("status", "--json", cwd=home).stdout)["problems"]
    assert {problem["path"] for problem in problems} == {"photo.png", "r.jsonl!/line 3"}
    again = json.loads(run("index", "--json", cwd=home).stdout)
    assert {problem["path"] for problem in again["problems"]} == {"photo.png", "r.jsonl!/line 3"}
