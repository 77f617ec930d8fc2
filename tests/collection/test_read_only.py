"""An index nobody may write to: every reading verb answers and tries nothing, every writing verb says it in one line.

The child gives up the right of root to pass over permissions, so that they bind for whatever is in the process,
FAISS and tantivy among it; and it notes every opening for writing and every change that Python is asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import run
from tests.collection.builder import files

CHILD = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 1)  # CAP_DAC_OVERRIDE, out of the bounding set: gone after exec
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
"""
WATCHED = """
import os, sys
place, log = sys.argv.pop(1), sys.argv.pop(1)
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime"}
def watch(event, arguments):
    paths = [os.fsdecode(each) for each in arguments if isinstance(each, (str, bytes))]
    path = "" if not paths else paths[1] if event == "os.symlink" else paths[0]
    writes = event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if (writes or event in CHANGES) and os.path.abspath(path).startswith(place):
        os.write(3, f"{event} {path}\\n".encode())
os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 3)
sys.addaudithook(watch)
from c2vsearch.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "docs").mkdir()
    for number, text in enumerate(["at nine", "at ten"]):
        (home / "docs" / "ferry.md").write_text(f"# Ferry\n\nThe ferry leaves {text}.\n")
        (home / "docs" / f"{number}.md").write_text(f"# Fees\n\nA dog costs {number} crowns.\n")
        assert run("index", "docs", "--model", "hash", cwd=home).returncode == 0
    (home / "docs" / "0.md").unlink()
    assert run("index", "docs", cwd=home).returncode == 0
    index = home / "indexes" / "docs"
    for path in (*index.rglob("*"), index):
        path.chmod(path.stat().st_mode & ~0o222)
    probe = bound("import sys; open(sys.argv[3] + '/probe', 'w')", home)
    if "PermissionError" not in probe.stderr:
        pytest.skip("this process may pass over permissions, and cannot give that up")
    return home


def bound(program: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    index = str(home / "indexes" / "docs")
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CHILD, program, index, str(home / "attempts"), *(arguments or (index,))]
    return subprocess.run(command, cwd=home, env=settings, capture_output=True, text=True)


READING = [
    ["query", "when does the ferry leave"], ["query", "ferry", "--mode", "bm25"], ["query", "ferry", "--mode", "dense"],
    ["query", "ferry", "--at", "1"], ["status"], ["status", "--verify", "--json"], ["ls"], ["get", "ferry.md"], ["log"],
    ["verify"], ["pack", "docs.c2v"],
]  # fmt: skip
WRITING = [
    ["index"], ["index", "docs", "--rebuild"], ["rm", "ferry.md"], ["restore", "1"], ["compact"], ["vacuum", "--dry-run"],
    ["verify", "--repair"],
    ["pack", "indexes/docs.c2v"],
]  # fmt: skip


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_a_reading_verb_answers_and_tries_to_write_nothing(home: Path, verb: list[str]) -> None:
    index = home / "indexes" / "docs"
    before, expected = files(index), run(*verb, cwd=home)
    (home / "attempts").unlink(missing_ok=True)
    done = bound(WATCHED, home, *verb)
    assert (done.returncode, done.stdout) == (0, expected.stdout), done.stderr
    assert (home / "attempts").read_text() == ""
    assert files(index) == before


@pytest.mark.parametrize("verb", WRITING, ids=" ".join)
def test_a_writing_verb_says_it_in_one_line(home: Path, verb: list[str]) -> None:
    index = home / "indexes" / "docs"
    (home / "indexes").chmod(0o555)
    before = files(index)
    (home / "docs" / "new.md").write_text("# New\n\nThe orchard is open.\n")
    (home / "attempts").unlink(missing_ok=True)
    try:
        done = bound(WATCHED, home, *verb)
    finally:
        (home / "indexes").chmod(0o755)
        (home / "docs" / "new.md").unlink()
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("c2vsearch: cannot write ")
    assert "permission denied" in line
    assert files(index) == before
