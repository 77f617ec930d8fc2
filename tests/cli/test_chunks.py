"""`chunks`, and what comes through a pipe, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import run

FIRST = (
    "They leave at nine in the morning, and come back at ten in the evening, on all days but Sunday, when they stay."
)
TEXT = f"# Ferries\n\n{FIRST}\n\n## Fees\n\n" + " ".join(f"Fee number {n} is paid at the quay." for n in range(40))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ferry.md").write_text(TEXT)
    (tmp_path / "docs" / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_chunks_for_people(home: Path) -> None:
    done = run("chunks", "docs/ferry.md", "--model", "hash", "--max-tokens", "64", cwd=home)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "docs/ferry.md  markdown  Ferries"
    assert lines[1].split() == ["1", "lines", "1-3", "29", "tokens"]
    assert f"      {FIRST}" in lines
    assert "      Ferries > Fees" in lines
    assert "\x1b" not in done.stdout
    assert "chunks, " in done.stderr
    assert not (home / "indexes").exists()


def test_chunks_as_json_are_those_of_the_index(home: Path) -> None:
    done = run("chunks", "docs", "--model", "hash", "--max-tokens", "64", "--json", cwd=home)
    told = json.loads(done.stdout)
    [document] = told["documents"]
    assert (document["path"], document["characters"]) == ("docs/ferry.md", len(TEXT))
    for chunk in document["chunks"]:
        assert TEXT[chunk["start"] : chunk["end"]] == chunk["text"]
        assert chunk["tokens"] <= 64
    assert [(problem["path"], problem["status"]) for problem in told["problems"]] == [("docs/photo.png", "skipped")]
    run("index", "docs", "--model", "hash", "--max-tokens", "64", cwd=home)
    hits = json.loads(run("query", "fee", "-k", "50", "--mode", "dense", "--json", cwd=home).stdout)
    assert {hit["text"] for hit in hits} == {chunk["text"] for chunk in document["chunks"]}


def test_stdin(home: Path) -> None:
    done = run("chunks", "-", "--name", "a.html", "--model", "hash", cwd=home, stdin="<h1>Kelp</h1><p>Salt &amp; sea")
    assert done.stdout.splitlines()[0] == "a.html  html  Kelp"
    assert "      Salt & sea" in done.stdout.splitlines()
    empty = run("chunks", "-", "--model", "hash", cwd=home, stdin="")
    assert empty.returncode == 1
    assert "stdin.txt: empty" in empty.stderr


def test_nothing_to_cut(home: Path) -> None:
    assert run("chunks", "zebra.md", cwd=home).returncode == 2
    done = run("chunks", "docs/photo.png", "--model", "hash", cwd=home)
    assert done.returncode == 1
    assert "docs/photo.png: skipped: " in done.stderr


def test_piped_texts_are_files_of_the_index(home: Path) -> None:
    index = ("--index", "indexes/mine")
    done = run("index", "-", "--name", "kelp.md", *index, "--model", "hash", cwd=home, stdin="# Kelp\n\nSea weed.\n")
    assert done.returncode == 0, done.stderr
    assert run("index", "docs", "--add", *index, cwd=home).returncode == 0
    assert run("index", "-", "--name", "kelp.md", *index, cwd=home, stdin="# Kelp\n\nBrown algae.\n").returncode == 0
    run("index", "-", "--name", "a/salt.txt", *index, cwd=home, stdin="Salt.")
    records = {record["path"]: record["status"] for record in json.loads(run("ls", "--json", cwd=home).stdout)}
    assert records == {
        "kelp.md": "indexed",
        "a/salt.txt": "indexed",
        "docs:ferry.md": "indexed",
        "docs:photo.png": "skipped",
    }
    assert run("get", "kelp.md", cwd=home).stdout == "# Kelp\n\nBrown algae.\n"
    assert run("rm", "kelp.md", cwd=home).stdout == "kelp.md\n"
    assert not list((home / "indexes").rglob("kelp.md"))
    run("index", "-", "--name", "kelp.md", *index, cwd=home, stdin="Kelp again.")
    assert run("get", "kelp.md", cwd=home).stdout == "Kelp again.\n"
    root = str(home / "indexes" / "mine" / "piped")
    assert run("rm", "--root", root, cwd=home).stdout.splitlines() == ["a/salt.txt", "kelp.md"]
    assert not [path for path in (home / "indexes" / "mine" / "piped").rglob("*") if path.is_file()]
    again = json.loads(run("index", "--rebuild", "--model", "hash", *index, "--json", "docs", cwd=home).stdout)
    assert again["counts"] == {"added": 1, "skipped: unsupported": 1}


def test_piped_texts_move_with_their_index(home: Path) -> None:
    index = home / "indexes" / "mine"
    run(
        "index", "-", "--name", "kelp.md", "--index", str(index), "--model", "hash", cwd=home, stdin="# Kelp\n\nWeed.\n"
    )
    assert json.loads((index / "versions" / "00000001.json").read_bytes())["roots"][0]["path"] == "piped"
    index.rename(home / "indexes" / "moved")
    report = json.loads(run("index", "--json", cwd=home).stdout)
    assert report["roots"] == [str((home / "indexes" / "moved" / "piped").resolve())]
    assert report["counts"] == {"unchanged": 1}
    done = run("index", "-", "--name", "salt.md", "--index", "indexes/moved", cwd=home, stdin="Salt.")
    assert done.returncode == 0, done.stderr
    assert {record["path"] for record in json.loads(run("ls", "--json", cwd=home).stdout)} == {"kelp.md", "salt.md"}


@pytest.mark.parametrize("name", ["../a.md", "/tmp/a.md", "", ".a.md"])
def test_names_of_piped_texts_stay_inside(home: Path, name: str) -> None:
    done = run("index", "-", "--name", name, "--model", "hash", cwd=home, stdin="Salt.")
    assert done.returncode == 2
    assert "expected one such as notes/ferry.md" in done.stderr
    assert not list(home.rglob("*a.md"))


def test_a_pipe_goes_alone_and_not_into_a_foreign_directory(home: Path) -> None:
    assert run("index", "-", "docs", cwd=home, stdin="x").returncode == 2
    assert run("index", "-", "--dry-run", cwd=home, stdin="x").returncode == 2
    done = run("index", "-", "--index", "docs", cwd=home, stdin="x")
    assert done.returncode == 2
    assert "is not an index" in done.stderr
    assert not (home / "docs" / "piped").exists()
