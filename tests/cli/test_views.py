"""The views of `query` under a terminal: hostile texts stay texts, links lead to files, what is around a hit."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = [sys.executable, "-m", "c2vsearch"]
# Clear the screen, set the title, write the clipboard, open a link, C1 controls, bells and backspaces, directions of
# writing, tags and zero-width characters: raw, and as a reader might decode them.
ATTACKS = [
    "\x1b[2J\x1b[31m", "\x1b]0;owned\x07", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b2J\x9d0;c1\x9c\x90q", "\x07\x08\x7f\x0e\x05", "\u202edlrow\u202c \u2066\u2069\u200f\u061c", "\u200b\ufeff\u2060\U000e0041",
    "\x1bP1$q\x1b\\ \x1b_x\x1b\\ \x1b^y\x1b\\ \x1bc \x1b(0",
]  # fmt: skip
ATTACK = " ".join(ATTACKS)
LIVE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
# What the tool writes itself: colours, and links whose address is plain ASCII.
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;(?:id=[0-9]+;[!-~]+|;)\x1b\\|\r(?=\n)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("views")
    docs = place / "docs"
    docs.mkdir()
    hostile = f'---\ntitle: evil title\nauthor: "x {ATTACK.encode("unicode_escape").decode()}"\n---\n\n'
    body = f"# Head {ATTACK} evil\n\n## Sub {ATTACK}\n\nThe evil ferry {ATTACK} leaves. It is {ATTACK} blue.\n"
    (docs / "evil\x1b[2J\x1b]0;name\x07\u202e ferry.md").write_text(hostile + body, encoding="utf-8")
    (docs / "copy evil\x9b.md").write_text(hostile + body, encoding="utf-8")
    os.makedirs(docs / "dir\x1b]8;;http:")
    (docs / "dir\x1b]8;;http:" / "evil.json").write_text(
        json.dumps({"id": f"rec {ATTACK}", "title": f"Evil {ATTACK}", "text": f"evil ferry {ATTACK}", "team": ATTACK})
    )
    (docs / "evil.html").write_text(
        f"<title>evil &#27;[2J {ATTACK}</title><h1>ferry &#x9b;2J</h1><p>evil &#27;]52;c;aGk=&#7; {ATTACK}</p>"
    )
    with zipfile.ZipFile(docs / "evil.zip", "w") as archive:
        archive.writestr(f"in{ATTACKS[0]}{ATTACKS[6]}.md", f"# evil {ATTACK}\n\nferry {ATTACK}\n")
    (docs / "calm.md").write_text(
        "# Calm\n\n## Boats\n\nThe calm boat leaves at nine. Bring a coat.\n\n## Bread\n\nDough.\n"
    )
    done = subprocess.run(
        [*TOOL, "index", "docs", "--model", "hash", "-q"], cwd=place, env=settings(), check=False, capture_output=True
    )
    assert (place / "indexes" / "docs").is_dir(), done.stderr
    return place


def settings(**more: str) -> dict[str, str]:
    known = {
        key: value for key, value in os.environ.items() if not key.startswith(("KITTY", "TERM_PROGRAM", "C2VSEARCH"))
    }
    return {**known, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100", **more}


def on_a_terminal(home: Path, *arguments: str, **more: str) -> str:
    """What `query` writes to a terminal, stdout and stderr together."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*TOOL, "query", *arguments], cwd=home, stdin=child, stdout=child, stderr=child, env=settings(**more)
    )
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
    return seen.decode("utf-8")


VIEWS = [
    [], ["--full"], ["--section"], ["--context", "1"], ["--explain"], ["--explain", "--full"], ["-l"], ["--json", "--explain"],
    ["--jsonl", "--section"], ["--group-by", "file"], ["--links", "kitty"], ["--links", "none"], ["--mode", "bm25"],
    ["--type", "md", "--explain"], ["--task", "search", "--highlight", "words"],
]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
def test_nothing_of_a_hostile_text_reaches_the_terminal_alive(home: Path, view: list[str]) -> None:
    seen = on_a_terminal(home, f"evil ferry {ATTACK}".replace("\0", ""), "-k", "10", *view)
    assert "evil" in seen
    rest = OWN.sub("", seen)
    found = LIVE.search(rest)
    assert found is None, repr(rest[max(0, found.start() - 80) : found.end() + 20])
    assert "\r" not in rest


@pytest.mark.parametrize(
    "arguments",
    [
        ["--like", f"no {ATTACK}"], ["--like", "docs/evil.html"], ["x", "--index", f"no {ATTACK}"], ["x", "--links", f"f{ATTACK}{{path}}"],
        ["x", "--where", f"team = '{ATTACK}' and"], ["x", "--model", f"m{ATTACK}"], ["x", "--highlight", ATTACK],
        ["--queries", f"q{ATTACK}"], ["--queries", "hostile.jsonl", "--mode", "bm25"], ["--queries", "hostile.jsonl", "--mode", "bm25", "--jsonl"],
        ["--queries", "hostile.tsv", "--mode", "bm25", "--run-of", "file"],
    ],
    ids=lambda arguments: arguments[0] + arguments[1][:8],
)  # fmt: skip
def test_nor_of_hostile_arguments_and_queries(home: Path, arguments: list[str]) -> None:
    (home / "hostile.jsonl").write_text(
        json.dumps({"_id": f"q {ATTACK}", "text": f"evil ferry {ATTACK}"}) + "\n" + json.dumps({"_id": f"none {ATTACK}", "text": "zebra"})
        + f"\n{{broken {ATTACK}\n", encoding="utf-8",
    )  # fmt: skip
    (home / "hostile.tsv").write_text(f"q{ATTACK}\tevil ferry\n" + f"no tab {ATTACK}\n", encoding="utf-8")
    rest = OWN.sub("", on_a_terminal(home, *arguments))
    found = LIVE.search(rest)
    assert rest
    assert found is None, repr(rest[max(0, found.start() - 80) : found.end() + 20])


def addresses(seen: str) -> list[str]:
    return re.findall(r"\x1b\]8;id=[0-9]+;([!-~]+)\x1b\\", seen)


def test_links_lead_to_the_files_of_the_hits(home: Path) -> None:
    found = addresses(on_a_terminal(home, "evil ferry", "-k", "10"))
    done = subprocess.run(
        [*TOOL, "query", "evil ferry", "-k", "10", "--json"], cwd=home, env=settings(), capture_output=True, check=True
    )
    expected = {str(home / "docs" / hit["path"]) for hit in json.loads(done.stdout)}
    assert {unquote(urlsplit(address).path) for address in found} == expected
    assert len(expected) >= 4
    assert all(Path(path).is_file() for path in expected)
    assert all(address.startswith(f"file://{socket.gethostname()}/") for address in found)


CALM = ("calm boat nine", "-k", "1", "--mode", "bm25")


def test_formats_of_links(home: Path) -> None:
    path = str(home / "docs" / "calm.md")
    host = socket.gethostname()
    for options, more, expected in (
        ([], {}, [f"file://{host}{path}"]),
        ([], {"KITTY_WINDOW_ID": "1"}, [f"file://{host}{path}#1"]),
        ([], {"TERM_PROGRAM": "vscode"}, [f"vscode://file{path}:1"]),
        (["--links", "cursor"], {"KITTY_WINDOW_ID": "1"}, [f"cursor://file{path}:1"]),
        ([], {"C2VSEARCH_LINKS": "x-edit://open?f={path}&l={line}"}, [f"x-edit://open?f={path}&l=1"]),
        ([], {"C2VSEARCH_LINKS": "none"}, []),
        ([], {"FORCE_HYPERLINK": "0"}, []),
        ([], {"TERM": "dumb"}, []),
        (["--json"], {}, []),
    ):
        assert addresses(on_a_terminal(home, *CALM, *options, **more)) == expected, (options, more)  # type: ignore[arg-type]


def test_no_links_where_no_terminal_is_or_no_file(home: Path) -> None:
    done = subprocess.run(
        [*TOOL, "query", *CALM, "--links", "kitty"],
        cwd=home,
        env=settings(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in done.stdout
    (home / "docs" / "calm.md").rename(home / "elsewhere.md")
    try:
        seen = on_a_terminal(home, *CALM)
        assert "calm.md:1" in seen
        assert addresses(seen) == []
    finally:
        (home / "elsewhere.md").rename(home / "docs" / "calm.md")


def test_what_is_around_a_hit(home: Path) -> None:
    def asked(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TOOL, "query", *CALM, *options], cwd=home, env=settings(), capture_output=True, text=True, check=False
        )

    [hit] = json.loads(asked("--section", "--json").stdout)
    assert hit["context"]["text"].startswith("# Calm\n\n## Boats")
    assert "Bread" not in hit["text"] or "Dough" in hit["context"]["text"]
    assert list(hit["context"]) == ["start", "end", "start_line", "end_line", "page", "last_page", "text"]
    [hit] = json.loads(asked("--context", "5", "--json").stdout)
    assert hit["context"]["text"].endswith("Dough.")
    shown = asked("--context", "5").stdout
    assert "    Dough." in shown
    for options, message in (
        (["--context", "-1"], "neighbours is -1"),
        (["--context", "1", "--section"], "more than one was given"),
        (["--full", "--section"], "more than one was given"),
        (["-l", "--section"], "-l shows paths alone"),
        (["--links", "browser"], "--links is 'browser'; expected one of none, file, kitty"),
    ):
        done = asked(*options)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
