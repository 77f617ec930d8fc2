"""One writer at a time, and the other is told who it is."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from c2vsearch.collection.lock import holder, wait_until_free, write_lock
from c2vsearch.errors import IndexLocked, InvalidConfig
from tests.cli.test_cli import run
from tests.collection.builder import writer

HOLD = """
import sys
from pathlib import Path
from c2vsearch.collection.lock import write_lock
with write_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def held(root: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def refusal(root: Path, **settings: float) -> str:
    with pytest.raises(IndexLocked) as refused, write_lock(root, **settings):
        pass
    return str(refused.value)


def test_the_other_is_told_who_writes(tmp_path: Path) -> None:
    with held(tmp_path) as child:
        told = refusal(tmp_path)
        assert re.search(
            rf"another process is writing to {tmp_path} \(process {child.pid} on {socket.gethostname()}, "
            r"since 20\d\d-.*\+00:00\); wait for it to finish",
            told,
        )
        assert refusal(tmp_path, wait_seconds=0.3) == told
        child.communicate("\n")
    assert (tmp_path / "lock").read_bytes() == b""
    with write_lock(tmp_path):
        assert str(os.getpid()) in refusal(tmp_path)


def test_a_lock_goes_with_the_process_and_what_it_wrote_is_not_believed(tmp_path: Path) -> None:
    with held(tmp_path) as child:
        child.kill()
        child.communicate()
    assert str(child.pid) in (tmp_path / "lock").read_text()
    assert holder(tmp_path / "lock") is None
    with write_lock(tmp_path):
        assert str(os.getpid()) in refusal(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\x00", b"[]", b"{}", b"[" * 5000, b'{"pid": 1}', b'{"pid": "1", "host": "a", "since": "b"}',
        b'{"pid": true, "host": "a", "since": "b"}', b'{"pid": 1, "host": null, "since": "b"}',
        *(json.dumps({"pid": pid, "host": socket.gethostname(), "since": "b"}).encode() for pid in (2**22 + 1, 2**70, -1, 0)),
    ],
)  # fmt: skip
def test_content_of_any_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lock"
    path.write_bytes(content)
    assert holder(path) is None
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert f"writing to {tmp_path}; wait" in refusal(tmp_path)
    with write_lock(tmp_path):
        assert holder(path) is not None


def test_a_process_elsewhere_cannot_be_looked_up(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 4194305, "host": "kestrel", "since": "2026-11-27T08:00:00+00:00"}')
    assert str(holder(tmp_path / "lock")) == "process 4194305 on kestrel, since 2026-11-27T08:00:00+00:00"
    assert holder(tmp_path / "none") is None


def test_waiting_for_the_other(tmp_path: Path) -> None:
    with held(tmp_path) as child:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        with write_lock(tmp_path, wait_seconds=60.0):
            pass
    wait_until_free(tmp_path, 60.0)
    wait_until_free(tmp_path / "none", 60.0)
    assert not (tmp_path / "none").exists()
    with write_lock(tmp_path):
        wait_until_free(tmp_path, 0.0)


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InvalidConfig, match=r"no locks \(No locks available\).*local disk"), writer(tmp_path / "i"):
        pass


def test_a_lock_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(InvalidConfig, match="lock is not a plain file"), write_lock(tmp_path):
        pass


def test_index_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The ferry leaves at nine.")
    index = ("index", "docs", "--model", "hash", "--index", "i")
    (tmp_path / "i").mkdir()
    with held(tmp_path / "i") as child:
        for wait in ((), ("--wait", "0.3")):
            done = run(*index, *wait, cwd=tmp_path)
            assert (done.returncode, done.stdout) == (4, "")
            assert f"(process {child.pid} on " in done.stderr
            assert len(done.stderr.splitlines()) == 1
        threading.Timer(2.0, child.communicate, ["\n"]).start()
        done = run(*index, "--wait", "100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
