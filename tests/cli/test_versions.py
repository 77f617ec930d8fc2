"""`log`, `restore`, `verify`, `compact`, `vacuum` and `--at`, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An index of three versions: the ferry leaves at nine, then at ten, then there is a second file."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, text in enumerate(["at nine", "at ten", "at ten"]):
        (docs / "ferry.md").write_text(f"# Ferry\n\nThe ferry leaves {text}.\n")
        if number == 2:
            (docs / "fees.md").write_text("# Fees\n\nA dog costs two crowns.\n")
        assert run("index", "docs", "--model", "hash", cwd=tmp_path).returncode == 0
    return tmp_path


def test_the_log_and_the_index_as_it_was(home: Path) -> None:
    rows = [line.split() for line in run("log", cwd=home).stdout.splitlines()]
    assert [row[0] for row in rows if row and row[0].isdigit()] == ["3", "2", "1"]
    assert "built from nothing" in run("log", cwd=home).stdout
    versions = json.loads(run("log", "--json", cwd=home).stdout)
    assert [(v["number"], v["parent"], v["files"], v["chunks"]) for v in versions] == [
        (3, 2, 2, 2),
        (2, 1, 1, 1),
        (1, None, 1, 1),
    ]
    assert "at nine" in run("query", "when does the ferry leave", "--at", "1", cwd=home).stdout
    assert "at ten" in run("query", "when does the ferry leave", "--at", versions[0]["created"], cwd=home).stdout
    assert run("get", "ferry.md", "--at", "1", cwd=home).stdout == "# Ferry\n\nThe ferry leaves at nine.\n"
    assert [r["path"] for r in json.loads(run("ls", "--json", "--at", "2", cwd=home).stdout)] == ["ferry.md"]
    assert json.loads(run("status", "--json", "--at", "2", cwd=home).stdout)["version"] == 2


@pytest.mark.parametrize(
    ("at", "code", "told"),
    [
        ("7", 3, "no version 7; it has 1, 2, 3"),
        ("1999-01-01", 3, "no version as old"),
        ("soon", 2, "neither a version"),
    ],
)
def test_a_version_that_is_not_there(home: Path, at: str, code: int, told: str) -> None:
    for command in (["query", "ferry", "--at", at], ["restore", at], ["status", "--at", at]):
        done = run(*command, cwd=home)
        assert (done.returncode, done.stdout) == (code, "")
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_an_old_version_comes_back_and_the_next_sync_goes_on(home: Path) -> None:
    assert run("restore", "1", cwd=home).stdout == "version 4 is version 1 again\n"
    assert "at nine" in run("query", "when does the ferry leave", cwd=home).stdout
    assert "from version 1" in run("log", cwd=home).stdout
    report = json.loads(run("index", "--json", cwd=home).stdout)
    assert report["counts"] == {"added": 1, "updated": 1}
    assert report["encoded"] == 0  # embeddings of the versions between are found
    assert run("get", "ferry.md", cwd=home).stdout == "# Ferry\n\nThe ferry leaves at ten.\n"


def test_damage_is_named_and_mended(home: Path) -> None:
    index = home / "indexes" / "docs"
    assert "every byte as recorded" in run("verify", cwd=home).stdout
    manifest = json.loads((index / "versions" / "00000003.json").read_bytes())
    name = manifest["vectors"][0]["file"]["name"]
    (index / name).write_bytes(b"nonsense")
    for command in (["verify"], ["query", "ferry"]):
        done = run(*command, cwd=home)
        assert done.returncode == 6
        assert name in done.stderr
        assert "c2vsearch verify --repair" in done.stderr
    done = run("verify", "--repair", cwd=home)
    assert done.stdout.splitlines()[0] == f"{name}: made anew"
    assert run("verify", cwd=home).returncode == 0
    assert "at ten" in run("query", "when does the ferry leave", cwd=home).stdout


def test_room_is_given_back(home: Path) -> None:
    index = home / "indexes" / "docs"
    assert run("compact", cwd=home).stdout.startswith("version 4: ")
    assert run("compact", cwd=home).stdout == "there is nothing to gain\n"
    plan = run("vacuum", "--younger-than", "0s", "--dry-run", cwd=home).stdout
    assert "3 versions and " in plan
    assert " would be removed" in plan
    assert run("vacuum", cwd=home).stdout.startswith("0 versions")  # they are young
    swept = json.loads(run("vacuum", "--younger-than", "0s", "--json", cwd=home).stdout)
    assert swept["versions"] == [1, 2, 3]
    assert [path.name for path in (index / "versions").iterdir()] == ["00000004.json"]
    assert run("verify", cwd=home).returncode == 0
    assert run("vacuum", "--keep", "0", cwd=home).returncode == 2
    assert run("vacuum", "--younger-than", "soon", cwd=home).returncode == 2
