"""Files are whole or absent, whatever fails."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from c2vsearch import artifacts
from c2vsearch.errors import CorruptFile, StorageFull, StorageReadOnly


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    artifacts.write_bytes(path, b"old")

    def half(temporary: Path) -> None:
        temporary.write_bytes(b"ne")
        raise RuntimeError("killed in the middle")

    with pytest.raises(RuntimeError):
        artifacts.write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_as_such(tmp_path: Path, code: int) -> None:
    path = tmp_path / "a.json"
    artifacts.write_bytes(path, b"old")

    def full(temporary: Path) -> None:
        raise OSError(code, os.strerror(code), str(temporary))

    with pytest.raises(StorageFull, match="everything committed so far is kept"):
        artifacts.write_atomically(path, full)
    assert path.read_bytes() == b"old"


def test_other_errors_of_the_system_keep_their_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), artifacts.storage_errors():
        raise IsADirectoryError(errno.EISDIR, "a directory")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_cannot_be_written_to_is_named(code: int) -> None:
    with pytest.raises(StorageReadOnly, match=r"cannot write /mnt/a: .*; expected a place"), artifacts.storage_errors():
        raise OSError(code, os.strerror(code), "/mnt/a")


def test_exclusive_creation_has_one_winner(tmp_path: Path) -> None:
    path = tmp_path / "versions" / "1.json"
    assert artifacts.create_exclusively(path, b"first") is True
    assert artifacts.create_exclusively(path, b"second") is False
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in path.parent.iterdir()] == ["1.json"]


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "data"
    data = bytes(range(64))
    path.write_bytes(data)
    expected = artifacts.checksum(path)
    artifacts.verify_checksum(path, expected=expected, size_bytes=64)
    for bit in range(0, 512, 37):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CorruptFile, match="damaged"):
            artifacts.verify_checksum(path, expected=expected, size_bytes=64)
    path.write_bytes(data[:-1])
    with pytest.raises(CorruptFile, match="63 bytes; expected 64"):
        artifacts.verify_checksum(path, expected=expected, size_bytes=64)
    path.unlink()
    with pytest.raises(CorruptFile, match="missing"):
        artifacts.verify_checksum(path, expected=expected, size_bytes=64)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "[" * 100_000])
def test_json_that_is_no_object_is_corrupt(tmp_path: Path, content: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(content)
    with pytest.raises(CorruptFile, match=r"m\.json"):
        artifacts.read_json(path)


def test_json_round_trip_is_stable(tmp_path: Path) -> None:
    value = {"b": [1, 2.5], "a": {"ü": None}}
    path = tmp_path / "m.json"
    path.write_bytes(artifacts.to_json(value))
    assert artifacts.read_json(path) == value
    assert artifacts.to_json(artifacts.read_json(path)) == path.read_bytes()


def test_a_file_named_by_its_content_is_there_once(tmp_path: Path) -> None:
    def same(temporary: Path) -> None:
        temporary.write_bytes(b"same")

    written = [artifacts.write_named_by_content(tmp_path / "new", same, suffix=".x") for _ in "ab"]
    assert written == [tmp_path / "new" / f"{hashlib.sha256(b'same').hexdigest()[:16]}.x"] * 2
    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [b"same"]


def test_a_file_named_by_its_content_leaves_no_litter_when_it_fails(tmp_path: Path) -> None:
    def full(temporary: Path) -> None:
        temporary.write_bytes(b"ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))

    with pytest.raises(StorageFull):
        artifacts.write_named_by_content(tmp_path, full, suffix=".x")
    assert not list(tmp_path.iterdir())
