"""`c2vsearch query --queries`: every layout, what is broken, the run against searches one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.evaluation.runs import decoded, read_run

ROOT = Path(__file__).resolve().parents[2]
QUERIES = {"q1": "ferry leaves", "q 2": "let the dough rest", "q3": "harbour lights", "q4": "island ferry times"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("batch")
    docs = place / "docs"
    docs.mkdir()
    for number in range(6):
        sections = [
            f"## Part {part}\n\nThe ferry {number} leaves at {part}. " + f"Words {number}. " * 60 for part in range(3)
        ]
        (docs / f"ferry {number}.md").write_text("# Ferries\n\n" + "\n\n".join(sections))
    (docs / "bread.md").write_text("# Bread\n\nLet the dough rest for an hour.\n")
    (docs / "copy.md").write_text("# Bread\n\nLet the dough rest for an hour.\n")
    (docs / "lights.md").write_text("# Lights\n\nThe harbour lights are red and green.\n")
    index_directory(docs, index=place / "indexes" / "docs", encoder="hash")
    return place


def run(home: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "c2vsearch", "query", *arguments], cwd=home, input=stdin, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=120,
    )  # fmt: skip


def as_json() -> bytes:
    return "".join(json.dumps({"_id": key, "text": text, "more": 1}) + "\n" for key, text in QUERIES.items()).encode()


def as_tsv() -> bytes:
    return "".join(f"{key}\t{text}\n" for key, text in QUERIES.items()).encode()


@pytest.mark.parametrize("layout", [as_json, as_tsv])
def test_a_run_of_chunks_is_the_searches_one_by_one(home: Path, tmp_path: Path, layout) -> None:
    done = run(home, "--queries", "-", "--run-of", "chunk", "-k", "5", stdin=layout())
    assert done.returncode == 0, done.stderr
    assert done.stderr == b"4 queries searched\n"
    (tmp_path / "a.run").write_bytes(done.stdout)
    found = read_run(tmp_path / "a.run")
    with Retriever.open(home / "indexes/docs") as retriever:
        for key, text in QUERIES.items():
            hits = retriever.search(text, k=5)
            assert found[key] == {hit.id: hit.score for hit in hits}
    lines = [line.split(" ") for line in done.stdout.decode().splitlines()]
    assert {(len(cells), cells[1], cells[5]) for cells in lines} == {(6, "Q0", "c2vsearch.hybrid")}
    assert [cells[3] for cells in lines if cells[0] == "q%202"] == ["1", "2", "3", "4", "5"]


def test_a_run_of_files_has_each_file_once_with_its_best_score(home: Path) -> None:
    done = run(home, "--queries", "-", "-k", "4", "--mode", "dense", stdin=as_tsv())
    with Retriever.open(home / "indexes/docs") as retriever:
        for key, text in QUERIES.items():
            best: dict[str, float] = {}
            for hit in retriever.search(text, k=100, mode="dense"):
                for source in (hit.source, *(place.source for place in hit.repeats)):
                    best[source] = max(best.get(source, -1.0), hit.score)
            lines = [line.split(" ") for line in done.stdout.decode().splitlines()]
            found = {decoded(name): float(score) for query, _, name, _, score, _ in lines if decoded(query) == key}
            assert list(found.values()) == sorted(best.values(), reverse=True)[:4]
            assert all(best[name] == score for name, score in found.items())
    assert b"ferry%202.md" in done.stdout


def test_plain_lines_have_their_numbers_and_json_lines_name_the_query(home: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("ferry\n\nharbour lights\n")
    done = run(home, "--queries", str(tmp_path / "words.txt"), "--jsonl", "-k", "2", "--explain")
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(hit["query"], hit["rank"]) for hit in hits] == [("1", 1), ("1", 2), ("3", 1), ("3", 2)]
    assert hits[2]["path"] == "lights.md"
    assert [stage["stage"] for stage in hits[2]["stages"]] == ["dense", "bm25", "fused"]


BROKEN = {
    "queries.jsonl": (
        b'{"_id": "a", "text": "ferry"}\n{"_id": "b", "text": ""}\nno json\n{"_id": "a", "text": "x"}\n'
        b'{"_id": true, "text": "x"}\n["x"]\n{"_id": "c", "text": "\xff"}\n{"_id": 7, "text": "dough"}\n',
        ["2: the query is empty", "3: Expecting value", "4: the id 'a' was there before", "5: expected an object",
         "6: expected an object", "7: 'utf-8' codec"],
        ["a", "7"],
    ),
    "queries.tsv": (b"a\tferry\nb\n\tx\nc\t \nd\tdough\t5\n", ["2: expected an id, a tab", "3: expected an id, a tab", "4: the query is empty"], ["a", "d"]),
    "queries.txt": (b"\xef\xbb\xbfferry\n\xff\xfe\ndough\r\n", ["2: 'utf-8' codec"], ["1", "3"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_query_costs_itself_alone(home: Path, tmp_path: Path, name: str) -> None:
    data, reasons, kept = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    done = run(home, "--queries", str(tmp_path / name), "-k", "1")
    assert done.returncode == 1
    assert [line.split(b" ")[0].decode() for line in done.stdout.splitlines()] == kept
    *told, last = done.stderr.decode().splitlines()
    assert len(told) == len(reasons)
    for line, reason in zip(told, reasons, strict=True):
        assert f"{name} line {reason}" in line
    assert last == f"{len(kept)} queries searched, {len(reasons)} lines left out"


def test_queries_that_find_nothing_are_named(home: Path) -> None:
    done = run(home, "--queries", "-", "--mode", "bm25", stdin=b"ferry\nzebra\n")
    assert (done.returncode, done.stderr) == (0, b"2 queries searched, nothing found for 1: 2\n")
    done = run(home, "--queries", "-", "--mode", "bm25", stdin=b"zebra\n")
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--queries", "nowhere.tsv"], "nowhere.tsv cannot be read (No such file or directory)"),
        (["--queries", "-"], "stdin has no queries; expected one a line"),
        (["ferry", "--queries", "-"], "a question and --queries were both given"),
        ([], "nothing was asked; expected a question"),
        (["ferry", "--run-of", "chunk"], "expected --queries with it"),
        (["--queries", "-", "--run-of", "page"], "--run-of is 'page'; expected file or chunk"),
        (["--queries", "-", "--run-of", "file", "--jsonl"], "without --jsonl"),
        (["--queries", "-", "--json"], "leave out --json, -l, --full"),
        (["--queries", "-", "--explain"], "no place for --explain"),
        (["--queries", "-", "--group-by", "file"], "in another order than that of their scores"),
    ],
)
def test_what_does_not_go_together_is_refused(home: Path, arguments: list[str], message: str) -> None:
    done = run(home, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_more_queries_than_are_encoded_at_once(home: Path) -> None:
    done = run(home, "--queries", "-", "-k", "1", stdin=b"".join(b"%d\tferry %d\n" % (n, n) for n in range(200)))
    assert [line.split(b" ")[0] for line in done.stdout.splitlines()] == [b"%d" % n for n in range(200)]
