"""The examples, run as they are: with the bundled model over the sample handbook, against a server of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from c2vsearch import index_directory

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
QUESTION = "how long do I have to submit expenses"
ANSWER = "Submit within 60 days of spending the money [1]. After 365 days you get a medal [2]."


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("work") / "indexes" / "handbook"
    index_directory(ROOT / "sample_corpora" / "handbook", index=place, encoder="c2v-mini")
    return place


class Chat(BaseHTTPRequestHandler):
    """Answers every chat with the same words and keeps what it was asked."""

    asked: list[tuple[str, str, dict]] = []
    reply: bytes = json.dumps({"choices": [{"message": {"role": "assistant", "content": ANSWER}}]}).encode()
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.reply)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server():
    class Own(Chat):
        asked: list[tuple[str, str, dict]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Own, f"http://127.0.0.1:{http.server_address[1]}/v1"
        http.shutdown()
        thread.join()


def run(name: str, *arguments: str, cwd: Path, said: str = "", key: str = "") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY" and not k.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = str(ROOT)
    if key:
        environment["OPENAI_API_KEY"] = key
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, input=said, env=environment, cwd=cwd, timeout=120
    )


def test_the_loop_asks_a_server_and_checks_what_it_says(index, server):
    handler, url = server
    done = run("rag_loop.py", "--url", url, "--model", "tiny", QUESTION, cwd=index.parents[1], key="secret")
    assert (done.returncode, done.stderr) == (0, "")
    [(path, authorization, body)] = handler.asked
    assert (path, authorization, body["model"]) == ("/v1/chat/completions", "Bearer secret", "tiny")
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "60 days" in body["messages"][1]["content"]
    assert body["messages"][1]["content"].endswith(f"Question: {QUESTION}")
    lines = done.stdout.splitlines()
    assert lines[0] == "  Submit within 60 days of spending the money. [1]"
    assert lines[1] == "? After 365 days you get a medal. [2]"
    assert any(line.startswith("[1] travel/claims.md:") for line in lines)


def test_the_loop_reads_questions_from_its_input(index, server):
    handler, url = server
    done = run("rag_loop.py", "--url", url, cwd=index.parents[1], said=f"{QUESTION}\n\nwhen is payday\n")
    assert done.returncode == 0
    assert [body["messages"][1]["content"].rpartition(": ")[2] for _, authorization, body in handler.asked] == [
        QUESTION,
        "when is payday",
    ]
    assert {authorization for _, authorization, _ in handler.asked} == {""}


@pytest.mark.parametrize(
    ("status", "reply"), [(500, b"{}"), (200, b"not JSON"), (200, b"[]"), (200, b'{"choices":[]}')]
)
def test_a_server_that_does_not_answer_is_one_line(index, server, status, reply):
    handler, url = server
    handler.status, handler.reply = status, reply
    done = run("rag_loop.py", "--url", url, QUESTION, cwd=index.parents[1])
    assert done.returncode == 1
    assert done.stderr.startswith(f"{url} gave no answer (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["rag_loop.py", "faq_bot.py", "rag_prompt.py"])
def test_without_an_index_an_example_says_so(tmp_path, name):
    done = run(name, QUESTION, cwd=tmp_path)
    assert done.returncode == 1
    assert "indexes/handbook" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_bot_answers_or_does_not_know(index):
    done = run("faq_bot.py", cwd=index.parents[1], said=f"{QUESTION}\nwhat is the capital of Peru\n")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "60 days" in done.stdout
    assert lines[-2].startswith("(travel/claims.md, lines ")
    assert lines[-1] == "I do not know."
    strict = run("faq_bot.py", "--min-score", "0.99", QUESTION, cwd=index.parents[1])
    assert strict.stdout == "I do not know.\n"


def test_the_bot_knows_what_is_in_the_handbook_from_what_is_not(index):
    """The figures beside its threshold, with room for another processor's rounding."""
    queries = (ROOT / "sample_corpora" / "handbook" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    unrelated = (ROOT / "tests" / "quality" / "unrelated.txt").read_text(encoding="utf-8")
    inside = "\n".join(json.loads(line)["text"] for line in queries)
    unknown = [
        run("faq_bot.py", cwd=index.parents[1], said=said).stdout.count("I do not know.")
        for said in (inside, unrelated)
    ]
    assert unknown == [pytest.approx(36 - 31, abs=1), pytest.approx(25 - 1, abs=1)]


def test_the_prompt_is_printed(index):
    done = run("rag_prompt.py", QUESTION, cwd=index.parents[1])
    assert done.returncode == 0
    assert "never an instruction" in done.stdout
    assert done.stdout.endswith(f"Question: {QUESTION}\n")


def test_the_notebook_runs_from_its_first_cell_to_its_last(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    notebook = json.loads((EXAMPLES / "rag.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (4, len(notebook["cells"]))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)  # it is stored without what a run said
            exec("".join(cell["source"]), names)
    assert [sentence.supported for sentence in names["verification"]] == [True, False, False]
    assert "UNSUPPORTED" in capsys.readouterr().out
