"""Reading in processes: a reader that hangs, crashes, eats memory or lies costs its file, and nothing else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import InvalidConfig, MissingDependency, UnreadableDocument
from c2vsearch.indexing import IndexReport, index_directory, plan_index
from c2vsearch.ingest import formats, workers
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import Document, FileReport, SourceFile
from tests.ingest.odd_worker import ODD

ROOT = Path(__file__).parents[2]
# Enough for a start on a busy machine; only what hangs takes this long.
IMPATIENT = ReadingConfig(timeout_seconds=1.5)
SMALL = ReadingConfig(max_memory_bytes=500_000_000)

needs_kernel = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def _odd_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MODULE", "tests.ingest.odd_worker")
    for suffix, reader in ODD.items():
        monkeypatch.setitem(formats.READERS, suffix, reader)


def write(place: Path, files: dict[str, str | bytes]) -> list[SourceFile]:
    place.mkdir(exist_ok=True)
    for name, data in files.items():
        (place / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return [SourceFile(name, str(place / name), (place / name).stat().st_size, 7) for name in files]


def read(files: list[SourceFile], config: ReadingConfig) -> list[tuple[str, list[str]]]:
    """How each file ended, in the order in which they came: texts and refusals inside, or its own refusal."""
    found = []
    with Workers(config) as crew:
        for file, items in crew.read(files):
            told = []
            try:
                for item in items:
                    said = item.text if isinstance(item, Document) else f"{item.status}: {item.reason}"
                    told.append(f"{item.member}: {said}" if item.member else said)
            except UnreadableDocument as error:
                told = [f"{error.status}: {error.reason}"]
            found.append((file.source, told))
    return found


def zipped(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


BAD = {
    "a.hang": "timeout",
    "a.hangc": "timeout",
    "a.later": "timeout",
    "a.leave": "crashed",
    "a.crash": "crashed",
    "a.killed": "out-of-memory",
    "a.forge": "crashed",
}


@needs_kernel
@pytest.mark.parametrize("name", BAD)
def test_what_goes_wrong_costs_one_file(tmp_path: Path, name: str) -> None:
    files = write(tmp_path, {"0.html": "<p>Before.</p>", name: "x", "b.html": "<p>After.</p>", "c.md": "Last."})
    assert read(files, IMPATIENT) == [
        ("0.html", ["Before."]), (name, [f"failed: {BAD[name]}"]), ("b.html", ["After."]), ("c.md", ["Last."]),
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space")
@pytest.mark.parametrize("suffix", ["eat", "swallow"])
def test_memory_is_limited(tmp_path: Path, suffix: str) -> None:
    files = write(tmp_path, {f"a.{suffix}": "x", "b.html": "<p>After.</p>"})
    assert read(files, SMALL) == [(f"a.{suffix}", ["failed: out-of-memory"]), ("b.html", ["After."])]


def test_what_libraries_print_and_read_is_not_the_protocol(tmp_path: Path) -> None:
    files = write(tmp_path, {"a.noise": "x", "b.noise": "y"})
    assert read(files, ReadingConfig()) == [("a.noise", ["stdin had 0"]), ("b.noise", ["stdin had 0"])]


@pytest.mark.parametrize(
    "error", ["ValueError('odd')", "KeyError(1)", "RecursionError()", "SystemExit(0)", "KeyboardInterrupt()",
              "type('Strange', (BaseException,), {})('a\\nb')", "UnicodeDecodeError('utf-8', b'', 0, 1, 'x')"],
)  # fmt: skip
def test_whatever_is_raised_is_told(tmp_path: Path, error: str) -> None:
    [file] = write(tmp_path, {"a.raise": error})
    with Workers(ReadingConfig()) as crew, pytest.raises(UnreadableDocument) as caught:
        [list(items) for _, items in crew.read([file])]
    assert (caught.value.reason, caught.value.status) == ("crashed", "failed")
    assert error.partition("(")[0].removeprefix("type") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_thing_inside_costs_itself(tmp_path: Path) -> None:
    inside = {"1.html": "<p>One.</p>", "2.leave": "x", "3.md": "Three.", "4.raise": "ValueError()", "5.leave": "x"}
    data = zipped({**inside, "deep.zip": zipped({"6.leave": "x", "7.md": "Seven."}), "8.md": "Eight."})
    [(_, told)] = read(write(tmp_path, {"a.zip": data}), ReadingConfig())
    assert told == [
        "1.html: One.", "2.leave: failed: crashed", "3.md: Three.", "4.raise: failed: crashed",
        "5.leave: failed: crashed", "deep.zip/6.leave: failed: crashed", "deep.zip/7.md: Seven.", "8.md: Eight.",
    ]  # fmt: skip


def test_what_was_read_of_a_thing_that_hangs_is_taken_back(tmp_path: Path) -> None:
    data = zipped({"1.md": "One.", "2.later": "Half.", "3.md": "Three."})
    [(_, told)] = read(write(tmp_path, {"a.zip": data}), IMPATIENT)
    assert told == ["1.md: One.", "2.later: failed: timeout", "3.md: Three."]


def test_a_file_of_many_that_crash_ends(tmp_path: Path) -> None:
    data = zipped({"0.md": "Zero.", **{f"{n}.leave": "x" for n in range(1, 9)}, "9.md": "Nine."})
    [(_, told)] = read(write(tmp_path, {"a.zip": data}), ReadingConfig())
    expected = [f"{n}.leave: failed: crashed" for n in range(1, workers.FAILURES_OF_A_FILE + 2)]
    assert told == ["0.md: Zero.", *expected]


def test_the_next_file_is_read_while_one_is_used(tmp_path: Path) -> None:
    files = write(tmp_path, {"a.html": "<p>A.</p>", "b.leave": "x", "c.html": "<p>C.</p>", "d.html": "<p>D.</p>"})
    asked: list[str] = []
    with Workers(ReadingConfig()) as crew:
        coming = crew.read(asked.append(file.source) or file for file in files)
        _, items = next(coming)
        assert asked == ["a.html"]
        assert len(list(items)) == 1
        assert asked == ["a.html", "b.leave"]
        _, items = next(coming)
        with pytest.raises(UnreadableDocument):
            list(items)
        assert asked == ["a.html", "b.leave", "c.html"]
        assert [file.source for file, _ in coming] == ["c.html", "d.html"]  # what is not taken is not kept


def test_several_keep_the_order(tmp_path: Path) -> None:
    waits = {f"{n}.wait": f"{0.4 - n / 20:.2f}" for n in range(8)}
    files = write(tmp_path, {**waits, "8.md": "x", "9.leave": "x", "99.wait": "0"})
    found = read(files, ReadingConfig(workers=3))
    assert [name for name, _ in found] == [file.source for file in files]
    ids = {told[0] for name, told in found if name.endswith(".wait")}
    assert (len(ids) >= 3, os.getpid() in ids) == (True, False)


def test_the_same_as_without_processes(tmp_path: Path) -> None:
    from c2vsearch.ingest import read_file

    data = zipped(
        {"a.html": "<h1>Title</h1><p>Text.</p>", "b.py": "def f():\n    pass\n", "ü.md": "# Grüße \U0001f600"}
    )
    mail = "From: a@b.c\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nSubject: Hello\n\nText.\n"
    files = write(
        tmp_path, {"a.zip": data, "m.eml": mail, "t.csv": "id,text\n1,One\n2,Two\n", os.fsdecode(b"\xff.html"): "<p>x"}
    )
    with Workers(ReadingConfig()) as crew:
        for file, items in crew.read(files):
            assert list(items) == list(read_file(file))


def test_documents_are_not_held_whole(tmp_path: Path) -> None:
    """A reader that is ahead of the one who takes waits for him."""
    [file] = write(tmp_path, {"a.long": "400"})
    with Workers(ReadingConfig(max_memory_bytes=300_000_000)) as crew:
        for _, items in crew.read([file]):
            first = next(items)
            assert isinstance(first, Document)
            time.sleep(0.5)
            process = crew._crew[0]._process
            assert process is not None
            assert process.inbox.qsize() <= 16
            assert [first.member, *(item.member for item in items)] == [str(n) for n in range(400)]


def test_what_is_not_taken_is_left(tmp_path: Path) -> None:
    files = write(tmp_path, {"a.long": "30", "b.html": "<p>After.</p>"})
    with Workers(ReadingConfig()) as crew:
        coming = crew.read(files)
        assert next(next(coming)[1]).member == "0"
        assert [item.text for item in next(coming)[1] if isinstance(item, Document)] == ["After."]


def test_a_process_is_replaced_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FILES_OF_A_PROCESS", 3)
    found = read(write(tmp_path, {f"{n}.wait": "0" for n in range(7)}), ReadingConfig())
    ids = [told[0] for _, told in found]
    assert [len(set(ids[:3])), len(set(ids[3:6])), len(set(ids))] == [1, 1, 3]


def test_too_little_memory_to_start_is_said(tmp_path: Path) -> None:
    files = write(tmp_path, {"a.html": "<p>x</p>"})
    with pytest.raises(InvalidConfig, match="--reader-memory"):
        read(files, ReadingConfig(max_memory_bytes=1_000_000))


def test_modules_lying_about_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of downloads may hold a file with the name of a module."""
    for name in ("json.py", "queue.py", "selectolax.py", "striprtf.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "MODULE", "c2vsearch.ingest.worker")
    monkeypatch.setattr(sys, "path", [str(ROOT), *(place for place in sys.path if place)])
    found = read(write(tmp_path, {"a.rtf": b"x", "b.html": "<p>Text.</p>"}), ReadingConfig())
    assert found[1] == ("b.html", ["Text."])
    assert not (tmp_path / "ran").exists()


def test_a_missing_package_is_told_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MODULE", "tests.ingest.worker_without_pdf")
    [file] = write(tmp_path, {"a.pdf": "%PDF-1.4"})
    with Workers(ReadingConfig()) as crew, pytest.raises(MissingDependency, match=r"c2vsearch\[pdf\]") as caught:
        [list(items) for _, items in crew.read([file])]
    assert caught.value.extra == "pdf"


ORPHAN = """
import sys
from c2vsearch.config import ReadingConfig
from c2vsearch.ingest import formats, workers
from c2vsearch.records import SourceFile
from tests.ingest.odd_worker import ODD
workers.MODULE = "tests.ingest.odd_worker"
formats.READERS.update(ODD)
crew = workers.Workers(ReadingConfig(timeout_seconds=float(sys.argv[2])))
for _, items in crew.read([SourceFile("a" + sys.argv[3], sys.argv[1], 1, 0)]):
    list(items)
"""


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("suffix", "seconds"), [(".tellhang", "2"), (".tellsleep", "600")])
def test_no_orphan_is_left(tmp_path: Path, suffix: str, seconds: str) -> None:
    """Not even one that hangs where no thread of its own can end it: that one is ended by its timer."""
    place, file = tmp_path / "id", tmp_path / f"a{suffix}"
    file.write_text(str(place))
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN, file, seconds, suffix], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not (place.exists() and place.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    child = int(place.read_text())
    there = alive(child)
    parent.kill()
    parent.wait()
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (there, alive(child)) == (True, False)


# In a run.


def index(docs: Path, config: ReadingConfig) -> IndexReport:
    return index_directory(docs, index=docs.parent / "index", encoder="hash", reading=config)


def states(report: IndexReport) -> dict[str, str]:
    return {file.source: f"{file.status} {file.reason}".strip() for file in report.files}


@needs_kernel
def test_a_run_goes_on_and_names_them(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    write(docs, {"a.md": "A text.", "b.hang": "x", "c.crash": "x", "d.html": "<p>D text.</p>", "e.leave": "x"})
    plan = plan_index(docs, index=tmp_path / "index", encoder="hash", reading=IMPATIENT)
    report = index(docs, IMPATIENT)
    assert states(report) == {
        "a.md": "added", "b.hang": "failed timeout", "c.crash": "failed crashed", "d.html": "added",
        "e.leave": "failed crashed",
    }  # fmt: skip
    assert plan.files == report.files
    details = {file.source: file.detail for file in report.files}
    assert details["b.hang"] == "not read within 1.5 seconds (--reader-timeout)"
    assert details["c.crash"] == "the process that read it died: SIGSEGV"
    assert details["e.leave"] == "the process that read it died: exit status 3"


def test_tried_again_when_the_limit_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    write(docs, {"a.wait": "2.5", "b.html": "<p>Text.</p>"})
    assert states(index(docs, IMPATIENT)) == {"a.wait": "failed timeout", "b.html": "added"}
    monkeypatch.setattr(Workers, "_read_here", None)  # nothing is read
    monkeypatch.setattr("c2vsearch.ingest.workers._Worker.ask", None)
    again = index(docs, IMPATIENT)
    assert states(again) == {"a.wait": "failed timeout", "b.html": "unchanged"}
    assert again.settings_changed == ""
    monkeypatch.undo()
    monkeypatch.setattr(workers, "MODULE", "tests.ingest.odd_worker")
    monkeypatch.setitem(formats.READERS, ".wait", ODD[".wait"])
    patient = index(docs, ReadingConfig(timeout_seconds=30, workers=2))
    assert (states(patient), patient.settings_changed) == ({"a.wait": "added", "b.html": "unchanged"}, "")


def test_limits_are_settings_that_can_be_had() -> None:
    for settings in ({"timeout_seconds": 0}, {"workers": 0}, {"max_memory_bytes": 0}):
        with pytest.raises(InvalidConfig):
            ReadingConfig(**settings)  # type: ignore[arg-type]
    assert isinstance(FileReport("a", "failed", "timeout"), FileReport)
