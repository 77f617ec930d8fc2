"""`c2vsearch query --like`: names of the index, files on the disk, files from elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from c2vsearch import index_directory

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("like")
    docs = place / "docs"
    docs.mkdir()
    for name, text in (
        ("ferry", "The blue ferry leaves the quay."),
        ("boat", "A boat at the quay; a ferry."),
        ("bread", "Let dough rest."),
        ("cake", "Cake is dough with sugar."),
    ):
        (docs / f"{name}.md").write_text(text)
    (place / "other.txt").write_text("Sugar for the dough.")
    (place / "empty.txt").write_text(" \n")
    (place / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    index_directory(docs, index=place / "indexes" / "docs", encoder="hash")
    return place


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "c2vsearch", "query", *arguments], cwd=home, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=120,
    )  # fmt: skip


def test_a_file_by_its_name_and_by_where_it_lies(home: Path) -> None:
    by_name = run(home, "--like", "ferry.md", "--json")
    assert by_name.returncode == 0, by_name.stderr
    hits = json.loads(by_name.stdout)
    assert hits[0]["path"] == "boat.md"
    assert "ferry.md" not in {hit["path"] for hit in hits}
    for name in ("docs/ferry.md", "./docs/../docs/ferry.md", str(home / "docs" / "ferry.md"), "ferry.md:1"):
        assert run(home, "--like", name, "--json").stdout == by_name.stdout


def test_a_chunk_by_its_id(home: Path) -> None:
    [hit] = json.loads(run(home, "ferry", "-k", "1", "--json").stdout)
    found = json.loads(run(home, "--like", hit["id"], "--json").stdout)
    assert hit["id"] not in {other["id"] for other in found}
    assert len(found) == 3


def test_a_file_from_elsewhere_with_and_without_a_question(home: Path) -> None:
    assert run(home, "--like", "other.txt", "-l", "-k", "1").stdout == "cake.md\n"
    assert run(home, "--like", "other.txt", "-l", "--mode", "bm25").stdout.splitlines() == ["cake.md", "bread.md"]
    by_words = run(home, "quay", "--like", "other.txt", "-l", "--mode", "bm25")
    assert sorted(by_words.stdout.splitlines()) == ["boat.md", "ferry.md"]
    assert run(home, "--like", "other.txt", "-l", "--path", "b*").stdout.splitlines() == ["bread.md", "boat.md"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--like", "nowhere.md"], "nothing to be like that is called 'nowhere.md'; expected a file of it"),
        (["--like", "docs"], "nothing to be like that is called 'docs'"),
        (["--like", "empty.txt"], "empty.txt cannot be read: the file is empty"),
        (["--like", "broken.pdf"], "broken.pdf cannot be read"),
        (["--like", "ferry.md", "--queries", "-"], "--like and --queries were both given"),
    ],
)
def test_what_cannot_be_an_example(home: Path, arguments: list[str], message: str) -> None:
    done = run(home, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_phrasing_finds_what_the_question_does_not(home: Path) -> None:
    assert run(home, "blue", "-l", "--mode", "bm25").stdout.splitlines() == ["ferry.md"]
    done = run(home, "blue", "--also", "sugar", "--also", "zebra", "--mode", "bm25", "--json", "--explain")
    hits = json.loads(done.stdout)
    assert {hit["path"] for hit in hits} == {"ferry.md", "cake.md"}
    assert {stage["stage"] for hit in hits for stage in hit["stages"]} == {"phrasing 1", "phrasing 2", "phrasings"}
    for options in (["x", "--also", "y", "--like", "ferry.md"], ["--queries", "-", "--also", "y"]):
        refused = run(home, *options)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--also is another phrasing of a question" in refused.stderr
