"""The command line as a person and a script meet it: streams, exit codes, JSON, hostile texts, interruptions."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = [sys.executable, "-m", "c2vsearch"]
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, cwd: Path, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment}
    return subprocess.run(
        [*TOOL, *arguments],
        cwd=cwd,
        env=settings,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a small indexed folder."""
    place = tmp_path_factory.mktemp("home")
    docs = place / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text("# Ferries\n\n## Times\n\nThe ferry leaves at nine. It is blue.\n")
    (docs / "bread.md").write_text("# Bread\n\nLet the dough rest for an hour.\n")
    (docs / "data.json").write_text("{}")
    done = run("index", "docs", "--model", "hash", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2   added" in done.stderr
    assert "1   skipped: no-text-field" in done.stderr
    assert 'c2vsearch query "your question"' in done.stderr
    return place


def test_query_for_people(home: Path) -> None:
    done = run("query", "ferry leave", "-k", "1", cwd=home)
    assert done.returncode == 0
    assert done.stderr == ""
    header, body, *_ = done.stdout.splitlines()
    assert re.fullmatch(r" 1  \d\.\d{3}  ferry\.md:1-5  Ferries > Times", header)
    assert "The ferry leaves at nine." in body
    assert "\x1b" not in done.stdout


def test_json_is_stable(home: Path) -> None:
    done = run("query", "ferry", "-k", "2", "--json", "--explain", cwd=home)
    hits = json.loads(done.stdout)
    assert list(hits[0]) == [
        "rank", "score", "relevance", "id", "path", "start_line", "end_line", "page", "heading_path", "title", "start", "end", "text",
        "highlight", "member", "kind", "metadata", "repeats", "stages",
    ]  # fmt: skip
    assert (hits[0]["path"], hits[0]["start_line"], hits[0]["heading_path"]) == ("ferry.md", 1, ["Ferries", "Times"])
    assert [stage["stage"] for stage in hits[0]["stages"]] == ["dense", "bm25", "fused"]
    lines = run("search", "ferry", "-n", "2", "--jsonl", cwd=home).stdout.splitlines()
    assert [json.loads(line)["path"] for line in lines] == [hit["path"] for hit in hits]
    assert "stages" not in json.loads(lines[0])


def test_paths_only_and_several_words(home: Path) -> None:
    assert run("query", "ferry", "leaves", "-l", cwd=home).stdout.splitlines()[0] == "ferry.md"
    assert run("query", "-", "-l", "-k", "1", cwd=home, stdin="dough\n").stdout == "bread.md\n"
    assert run("query", "-l", "-k", "1", "--", "-dough", cwd=home).stdout == "bread.md\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["query", "zebra", "--mode", "bm25"], 1, "nothing found"),
        (["query", ""], 2, "the query is empty"),
        (["query", "x", "--mode", "fast"], 2, "mode is 'fast'; expected hybrid, dense or bm25"),
        (["query", "x", "-k", "0"], 2, "k is 0"),
        (["query", "x", "--task", "magic"], 2, "expected one of search, qa"),
        (["query", "x", "--surprise"], 2, "No such option"),
        (["query", "x", "--index", "nowhere"], 3, "no index at nowhere; build one with: c2vsearch index DIR"),
        (["query", "x", "--at", "7"], 3, "no version 7"),
        (["query", "x", "--model", "nothing"], 3, "no model 'nothing'"),
        (["index", "nowhere", "--model", "hash"], 2, "no file or directory at nowhere"),
        (["index", "docs", "--model", "nothing"], 3, "no model 'nothing'"),
        (["index", "docs", "--index", "docs", "--model", "hash"], 2, "is not an index and is not empty"),
        (["index", "docs", "--max-file-size", "big"], 2, "expected a number of bytes"),
        (
            ["index", "docs", "--model", "hash", "--precision", "fp8"],
            2,
            "precision is 'fp8'; expected one of auto, int8",
        ),
        (["index", "docs", "--dim", "0"], 2, "dim is 0; expected at least 1"),
        (["index", "docs", "--dim", "7", "--index", "x"], 2, "dim is 7; expected an even number from 2 to 768"),
        (["export", "nothing", "--out", "x"], 3, "no model 'nothing'"),
        (["export", "c2v-mini", "--out", "docs"], 2, "docs exists; expected a place where nothing is"),
        (["export", "c2v-mini", "--out", "x", "--precision", "fp16"], 2, "'fp16'; expected of int8, fp32"),
        (["evaluate", "docs"], 3, "no file at docs/queries.jsonl"),
    ],
)
def test_one_line_and_an_exit_code(home: Path, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments, cwd=home)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_shorter_embeddings_are_recorded_and_followed(home: Path) -> None:
    place = ("--index", "short", "--model", "hash")
    assert run("index", "docs", *place, "--dim", "32", cwd=home).returncode == 0
    assert json.loads(run("status", "--index", "short", "--json", cwd=home).stdout)["model"]["dim"] == 32
    found = run("query", "ferry", "--index", "short", "--mode", "dense", "-l", "-k", "1", cwd=home)
    assert found.stdout == "ferry.md\n", found.stderr
    assert run("index", "--index", "short", cwd=home).returncode == 0
    refused = run("index", "docs", *place, "--dim", "64", cwd=home)
    assert refused.returncode == 5
    assert "(32 dimensions); this run uses" in refused.stderr


def test_that_no_codes_are_wanted_is_recorded(home: Path) -> None:
    def wanted() -> bool:
        facts = json.loads(run("status", "--index", "bare", "--json", cwd=home).stdout)
        return bool(facts["searched"]["spec"]["token_codes"])

    told = []
    for option in (["--no-token-codes"], [], ["--token-codes"]):
        done = run("index", "docs", "--index", "bare", "--model", "hash", *option, cwd=home)
        assert done.returncode == 0, done.stderr
        told.append(wanted())
    assert told == [False, False, True]


def test_status_says_whether_hits_are_reranked_by_themselves(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text("# Ferries\n\nThe ferry leaves at nine.")

    def told(*options: str, model: str) -> tuple[str, int]:
        done = run("index", "docs", "--index", "coded", "--model", model, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        facts = json.loads(run("status", "--index", "coded", "--json", cwd=tmp_path).stdout)
        [line] = [
            line for line in run("status", "--index", "coded", cwd=tmp_path).stdout.splitlines() if "reranked" in line
        ]
        return " ".join(line.split()[1:]), sum(rows for codec, rows in facts["token_codes"].items() if codec)

    sentence, rows = told("--no-token-codes", model="c2v-mini")
    assert (sentence, rows) == ("not unless asked for: there are no token codes", 0)
    (docs / "new.md").write_text("# Bells\n\nThe bell rings at noon.")
    sentence, rows = told("--token-codes", model="c2v-mini")
    assert sentence.startswith("where there are token codes, which")
    assert rows == 1
    sentence, rows = told("--rebuild", model="c2v-mini")
    assert sentence == "by token codes of every chunk"
    assert rows > 1


def test_nothing_found_as_json_is_an_empty_array(home: Path) -> None:
    done = run("query", "zebra", "--mode", "bm25", "--json", cwd=home)
    assert (done.returncode, json.loads(done.stdout)) == (1, [])


def test_a_filter_says_how_much_it_lets_through(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "old").mkdir(parents=True)
    for name, text in (
        ("new.md", "The ferry leaves at nine."),
        ("old/a.txt", "The ferry left at eight."),
        ("b.md", "Bread."),
    ):
        (docs / name).write_text(text)
        os.utime(docs / name, (1_700_000_000, 1_700_000_000) if "old" in name else (1_760_000_000, 1_760_000_000))
    (tmp_path / "said.csv").write_text("path,team,year\nnew.md,ops,2025\nold/a.txt,ops,2019\n")
    assert run("index", "docs", "--model", "hash", "--metadata", "said.csv", cwd=tmp_path).returncode == 0
    for options, paths in (
        (["--path", "old/**"], ["old/a.txt"]),
        (["--path", "!old/**", "--path", "!b.md"], ["new.md"]),
        (["--type", "txt"], ["old/a.txt"]),
        (["--type", ".MD", "--type", "text"], ["b.md", "new.md", "old/a.txt"]),
        (["--since", "2025-01-01"], ["b.md", "new.md"]),
        (["--until", "2023-11-15"], ["old/a.txt"]),
        (["-m", "team=ops", "-m", "year>=2020"], ["new.md"]),
        (["-m", "team!=ops"], ["b.md"]),
        (["--where", "team = ops and not path matches '*.txt'"], ["new.md"]),
    ):
        done = run("query", "the ferry", "-l", *options, cwd=tmp_path)
        assert sorted(done.stdout.splitlines()) == paths, options
        assert done.stderr == f"{len(paths)} of 3 chunks match the filter\n"
    done = run("query", "the ferry", "--json", "-m", "year>2030", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "[]\n", "0 of 3 chunks match the filter\n")
    done = run("query", "the ferry", "-m", "year>soon", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "c2vsearch: year is compared with 'soon'; expected a number\n"


def test_the_index_is_found_from_below(home: Path) -> None:
    below = home / "docs" / "deep"
    below.mkdir(exist_ok=True)
    assert run("query", "ferry", "-l", "-k", "1", cwd=below).stdout == "ferry.md\n"
    assert (
        run("query", "ferry", "-l", "-k", "1", cwd=Path("/"), C2VSEARCH_INDEX=str(home / "indexes/docs")).stdout
        == "ferry.md\n"
    )
    lost = run("query", "ferry", cwd=Path("/"))
    assert (lost.returncode, "no index under ./indexes" in lost.stderr) == (3, True)


def test_status(home: Path) -> None:
    facts = json.loads(run("status", "--json", "--verify", cwd=home).stdout)
    assert facts["files"] == {"sources_indexed": 2, "sources_skipped": 1}
    assert facts["stale"] == {"new": 0, "changed": 0, "deleted": 0}
    assert facts["model"]["name"] == "hash"
    assert facts["problems"][0]["path"] == "data.json"
    assert facts["verified_files"] >= 4
    shown = run("status", "--problems", cwd=home).stdout
    assert "data.json: no-text-field" in shown


def test_a_stale_index_says_so(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("one")
    run("index", "docs", "--model", "hash", "-q", cwd=tmp_path)
    (docs / "b.md").write_text("two")
    (docs / "a.md").write_text("one more")
    assert "1 new, 1 changed, 0 deleted" in run("status", cwd=tmp_path).stdout
    report = json.loads(run("index", "docs", "--model", "hash", "--json", cwd=tmp_path).stdout)
    assert report["counts"] == {"added": 1, "updated": 1}


def test_evaluate_a_folder(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "qrels").mkdir(parents=True)
    for name in ("ferry", "dough", "tax"):
        (docs / f"{name}.md").write_text(f"All about {name}.")
    (docs / ".c2vsearchignore").write_text("queries.jsonl\nqrels/\n")
    (docs / "queries.jsonl").write_text('{"_id": "1", "text": "ferry"}\n{"_id": "2", "text": "tax"}\n')
    (docs / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tferry.md\t1\n2\ttax.md\t1\n")
    done = run("evaluate", "docs", "--model", "hash", "--compare", "bm25,dense,hybrid", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert [(row["model"], row["mode"]) for row in result["results"]] == [
        ("hash", "bm25"), ("hash", "dense"), ("hash", "hybrid"),
    ]  # fmt: skip
    assert result["results"][0]["measures"]["nDCG@10"]["mean"] == 1.0
    assert [comparison["second"]["mode"] for comparison in result["comparisons"]] == ["dense", "hybrid"]
    assert "nDCG@10" in run("evaluate", "docs", "--model", "hash", cwd=tmp_path).stdout


def test_a_failed_file_makes_exit_1(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("one")
    (docs / "closed.md").write_text("two")
    code = (
        "import os, sys; real = os.open\n"
        "def closed(path, *a, **k):\n"
        "    if str(path).endswith('closed.md'): raise PermissionError(13, 'Permission denied')\n"
        "    return real(path, *a, **k)\n"
        "os.open = closed\n"
        "sys.argv = ['c2vsearch', 'index', 'docs', '--model', 'hash']\n"
        "from c2vsearch.cli.app import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "1   failed: permission" in done.stderr


def on_a_terminal(arguments: list[str], cwd: Path) -> str:
    """What a command writes to a real terminal."""
    parent, child = pty.openpty()
    process = subprocess.Popen([*TOOL, *arguments], cwd=cwd, stdin=child, stdout=child, stderr=child,
                               env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "120"})  # fmt: skip
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        seen += part
    process.wait()
    os.close(parent)
    return seen.decode("utf-8", "replace")


# What rich itself writes: colours, cursor movement and line clearing of the progress bar, links to plain addresses.
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\x1b\]8;(?:id=[0-9]+;[!-~]+|;)\x1b\\|\r")


def test_an_explained_search_says_how_well_vectors_are_searched(home: Path) -> None:
    assert "rows exactly" in run("query", "ferry", "--explain", cwd=home).stderr
    for quiet in (["--explain", "--mode", "bm25"], []):
        assert "searched" not in run("query", "ferry", *quiet, cwd=home).stderr


def test_hostile_texts_and_names_never_reach_the_terminal_alive(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    attack = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;aGk=\x07\x9b2J\x1b]8;;http://e.org\x1b\\x\x1b]8;;\x1b\\ \x08\x7f \u202e evil ferry"
    (docs / "ferry\x1b[2J\x1b]0;name\x07.md").write_text(
        f"# Head {attack}\n\nThe ferry {attack} leaves.\n", encoding="utf-8"
    )
    (docs / "bad\x1b[31m.json").write_text("{}")
    seen = on_a_terminal(["index", "docs", "--model", "hash"], tmp_path)
    for options in (["-k", "1"], ["--explain", "--full"], ["-l"], ["--json"]):
        seen += on_a_terminal(["query", "ferry \x1b[2J evil", *options], tmp_path)
    seen += on_a_terminal(["status", "--problems"], tmp_path)
    seen += on_a_terminal(["query", "x", "--index", "no\x1b[2Jwhere"], tmp_path)
    rest = OWN.sub("", seen)
    assert "evil ferry" in rest
    for live in ("\x1b", "\x07", "\x08", "\x7f", "\x9b", "\u202e"):
        assert live not in rest, repr(rest[max(0, rest.find(live) - 60) : rest.find(live) + 20])
    assert "\\x1b[2J" in rest


def test_the_best_sentence_stands_out_on_a_terminal(home: Path) -> None:
    seen = on_a_terminal(["query", "ferry leave", "-k", "1"], home)
    assert "\x1b[1mThe ferry leaves at nine." in seen


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m c2vsearch query ferry dough --jsonl | head -c 1; echo; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout == "{\n0\n"
    assert done.stderr == ""


def test_interrupted_indexing_keeps_what_is_finished(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(3000):
        (docs / f"{number:04}.md").write_text(f"# Note {number}\n\n" + f"Words of note {number}. " * 60)
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*TOOL, "index", "docs", "--model", "hash"], cwd=tmp_path, env=settings, stderr=subprocess.PIPE, text=True
    )
    shards = tmp_path / "indexes" / "docs" / "shards"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (shards.is_dir() and any(shards.glob("*.parquet"))):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130, said
    assert "the same command goes on from there" in " ".join(said.split())
    done = json.loads(run("index", "docs", "--model", "hash", "--json", cwd=tmp_path).stdout)
    assert done["counts"]["unchanged"] > 0
    assert sum(done["counts"].values()) == 3000
    assert json.loads(run("status", "--json", cwd=tmp_path).stdout)["files"] == {"sources_indexed": 3000}


def test_doctor_with_the_shipped_model(tmp_path: Path) -> None:
    done = run("doctor", "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["search"] == {"ok": True}
    assert (facts["model"]["name"], facts["model"]["runtime"]) == ("c2v-mini", "onnx")
    assert set(facts["gpu"]) == {"torch", "faiss"}
    assert "search     works" in run("doctor", cwd=tmp_path).stdout


def test_help_version_and_reference(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout.startswith("c2vsearch 0.")
    for verb in ("index", "query", "status", "evaluate", "export", "doctor"):
        assert verb in run("--help", cwd=tmp_path).stdout
    check = subprocess.run([sys.executable, ROOT / "docs" / "make_cli_reference.py", "--check"], cwd=ROOT,
                           env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)  # fmt: skip
    assert check.returncode == 0, check.stderr


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    (docs / "b.png").write_bytes(b"x")
    done = run("index", "docs", "--model", "hash", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1   added" in done.stdout
    assert "1 chunks in indexes/docs, 1 of them to embed" in done.stdout
    assert "Nothing was written." in done.stdout
    assert not (tmp_path / "indexes").exists()
    plan = json.loads(run("index", "docs", "--model", "hash", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert (plan["counts"], plan["to_embed"]) == ({"added": 1, "skipped: unsupported": 1}, 1)
    assert [problem["path"] for problem in plan["problems"]] == ["b.png"]


def test_a_table_of_metadata_that_changes_is_noticed(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    table = tmp_path / "m.csv"
    index = ("index", "docs", "--model", "hash", "--metadata", "m.csv", "--json")
    table.write_text("path,team\na.md,rescue\n")
    assert json.loads(run(*index, cwd=tmp_path).stdout)["counts"] == {"added": 1}
    assert json.loads(run(*index, cwd=tmp_path).stdout)["counts"] == {"unchanged": 1}
    table.write_text("path,team\na.md,crew\n")
    record = json.loads(run(*index, cwd=tmp_path).stdout)
    assert (record["counts"], record["encoded"]) == ({"updated": 1}, 0)
    table.write_text("team\nrescue\n")
    done = run(*index, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected a column 'path'" in done.stderr


def test_watching_follows_the_files_until_it_is_interrupted(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("One text.")
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    command = [*TOOL, "index", "docs", "--model", "hash", "--watch"]
    with subprocess.Popen(command, cwd=tmp_path, env=settings, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("Watching for changes" in line for line in lines)
        (docs / "b.md").write_text("Another text.")
        assert any("added b.md: 1 chunks embedded" in line for line in lines)
        process.send_signal(signal.SIGINT)
        assert "Stopped" in process.stderr.read()
        assert process.wait(timeout=60) == 130
