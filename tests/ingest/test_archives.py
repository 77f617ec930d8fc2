"""Archives and compressed files: every member ends once, limits hold while unpacking, nothing reaches the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, FileReport, SourceFile

FILES = {"a.md": b"# One\n\nText.", "deep/b.txt": "Grüße".encode("utf-16"), "deep/c.html": b"<p>Three.</p>"}


def read(place: Path, name: str, data: bytes, **limits: int) -> tuple[dict[str, str], dict[str, str]]:
    path = place / name
    path.write_bytes(data)
    items = list(read_file(SourceFile(name, str(path), 0, 0), config=ReadingConfig(**limits)))  # type: ignore[arg-type]
    texts = {item.member: item.text for item in items if isinstance(item, Document)}
    refused = {item.member: f"{item.status}: {item.reason}" for item in items if isinstance(item, FileReport)}
    assert len(texts) + len(refused) == len(items)
    return texts, refused


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


EXPECTED = {"a.md": "# One\n\nText.", "deep/b.txt": "Grüße", "deep/c.html": "Three."}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped(FILES)),
        ("a.zip", zipped(FILES, zipfile.ZIP_STORED)),
        ("a.zip", zipped(FILES, zipfile.ZIP_LZMA)),
        ("a.tar", tarred(FILES)),
        ("a.tar.gz", tarred(FILES, "w:gz")),
        ("a.tgz", tarred(FILES, "w:gz")),
        ("a.tar.bz2", tarred(FILES, "w:bz2")),
        ("a.tar.xz", tarred(FILES, "w:xz")),
    ],
)
def test_each_member_by_its_own_reader(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(tmp_path, name, data) == (EXPECTED, {})


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_one_compressed_file(tmp_path: Path, suffix: str) -> None:
    if suffix == "zst":
        pack = pytest.importorskip("zstandard").ZstdCompressor().compress
    else:
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[suffix]
    whole = pack(b"# News\n\n" + b"Something. " * 500)
    texts, refused = read(tmp_path, f"NEWS.md.{suffix}", whole)
    assert (list(texts), refused) == (["NEWS.md"], {})
    assert texts["NEWS.md"].endswith("Something. " * 3)
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path, f"NEWS.md.{suffix}", whole[: len(whole) // 2])
    assert (caught.value.reason, caught.value.status) == (f"broken-{suffix}", "failed")
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path, f"NEWS.md.{suffix}", b"not at all compressed")
    assert caught.value.reason == f"broken-{suffix}"


def test_what_lies_in_what_lies_inside(tmp_path: Path) -> None:
    records = b'{"id": "r1", "text": "Deep."}\n{oops\n'
    data = tarred(
        {"in.zip": zipped({"r.jsonl.gz": gzip.compress(records), "x.png": b"\x89PNG\r\n\x1a\n"}), "t.txt": b"Top."},
        "w:gz",
    )
    assert read(tmp_path, "a.tar.gz", data) == (
        {"in.zip/r.jsonl.gz/r.jsonl/r1": "Deep.", "t.txt": "Top."},
        {"in.zip/r.jsonl.gz/r.jsonl/line 2": "failed: broken-jsonl", "in.zip/x.png": "skipped: unsupported"},
    )
    texts, refused = read(tmp_path, "a.tar.gz", data, max_depth=2)
    assert (texts, refused["in.zip/r.jsonl.gz/r.jsonl"]) == ({"t.txt": "Top."}, "skipped: too-deep")


def test_names_are_only_names(tmp_path: Path) -> None:
    files = {
        "../../up.md": b"Up.",
        "/etc/root.md": b"Root.",
        ".git/config.md": b"x",
        "__MACOSX/a.md": b"x",
        ".h.md": b"x",
    }
    before = sorted(tmp_path.parent.rglob("*"))
    for name, data in (("a.zip", zipped(files)), ("a.tar", tarred(files))):
        texts, refused = read(tmp_path, name, data)
        assert sorted(texts.values()) == ["Root.", "Up."]
        assert refused == {}
        (tmp_path / name).unlink()
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_links_and_devices_of_a_tar_are_not_followed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "a.md"), (tarfile.CHRTYPE, "")):
            entry = tarfile.TarInfo(f"x{kind!r}.md")
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
        entry = tarfile.TarInfo("a.md")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"Real"))
    assert read(tmp_path, "a.tar", buffer.getvalue()) == ({"a.md": "Real"}, {})


def test_one_broken_member_costs_itself(tmp_path: Path) -> None:
    data = bytearray(
        zipped({"a.txt": b"First text.", "b.txt": b"Second text.", "c.txt": b"Third."}, zipfile.ZIP_STORED)
    )
    data[data.index(b"Second")] ^= 1
    texts, refused = read(tmp_path, "a.zip", bytes(data))
    assert texts == {"a.txt": "First text.", "c.txt": "Third."}
    assert refused == {"b.txt": "failed: broken-zip"}
    whole = tarred({"a.txt": b"First.", "b.txt": b"x" * 5000})
    texts, refused = read(tmp_path, "a.tar", whole[:2000])
    assert (texts, refused) == ({"a.txt": "First."}, {"b.txt": "failed: broken-tar"})


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"x", "b.txt": b"y"}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1  # the flag of the first entry, in both headers
    assert read(tmp_path, "a.zip", bytes(data)) == ({"b.txt": "y"}, {"a.txt": "skipped: encrypted"})


def test_limits_hold_over_all_that_lies_inside(tmp_path: Path) -> None:
    inner = zipped({f"{n}.txt": b"x" * 1000 for n in range(10)})
    data = zipped({"1.zip": inner, "2.zip": inner, "z.txt": b"End."})
    texts, refused = read(tmp_path, "a.zip", data, max_members=12)
    assert len(texts) == 10
    assert set(refused.values()) == {"skipped: too-many-members"}
    texts, refused = read(tmp_path, "a.zip", data, max_unpacked_bytes=5_000 + len(inner))
    assert len(texts) == 5
    assert set(refused.values()) == {"skipped: bomb"}


BOMB = """
import io, json, resource, sys, zipfile, gzip
from c2vsearch.ingest import read_file
from c2vsearch.records import FileReport, SourceFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    items = list(read_file(SourceFile(sys.argv[1], sys.argv[1], 0, 0)))
    reasons = [item.reason for item in items if isinstance(item, FileReport)]
except Exception as error:
    reasons = [error.reason]
print(json.dumps([reasons, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
"""


@pytest.mark.parametrize("kind", ["zip", "gz", "tar.gz"])
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, kind: str) -> None:
    zeros, size = b"\0" * (1 << 20), 2_000
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("a.txt", "w", force_zip64=True) as out,
        ):
            for _ in range(size):
                out.write(zeros)
    else:
        with gzip.open(path, "wb", compresslevel=1) as out:
            if kind == "tar.gz":
                entry = tarfile.TarInfo("a.txt")
                entry.size = size << 20
                out.write(entry.tobuf())
            for _ in range(size):
                out.write(zeros)
    command = [sys.executable, "-c", BOMB, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], timeout=120
    )
    reasons, grown_mib = json.loads(done.stdout)
    assert set(reasons) <= {"bomb", "too-large"}
    assert reasons
    assert grown_mib < 400


def test_a_member_without_a_name_is_left_out(tmp_path: Path) -> None:
    data = zipped({"nobody": b"Nameless.", "y.md": b"Text."}, zipfile.ZIP_STORED)
    named = data.replace(b"nobody", b"\0obody")  # a name is cut off at its first NUL
    assert named.count(b"\0obody") == 2
    assert read(tmp_path, "a.zip", named)[0] == {"y.md": "Text."}
