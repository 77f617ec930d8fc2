"""Files that are whole or absent: atomic write, fsync, checksum, exclusive creation. Knows no domain.

The order everywhere is: write a temporary file in the same directory, flush, fsync, rename, fsync the
directory. A reader therefore sees the old file or the new one, never a half-written one, after kill -9 and
after a power cut.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from c2vsearch.errors import CorruptFile, StorageFull, StorageReadOnly

TEMPORARY_PREFIX = ".tmp-"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def checksum(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_checksum(path: Path, *, expected: str, size_bytes: int) -> None:
    """Compare a file with what was recorded of it.

    Raises:
        CorruptFile: The file is missing, or has another size or other bytes.
    """
    try:
        actual_size = path.stat().st_size
    except FileNotFoundError as error:
        raise CorruptFile(f"{path} is missing; expected {size_bytes} bytes") from error
    if actual_size != size_bytes:
        raise CorruptFile(f"{path} has {actual_size} bytes; expected {size_bytes}")
    if (actual := checksum(path)) != expected:
        raise CorruptFile(f"{path} is damaged: sha256 {actual[:12]}..., expected {expected[:12]}...")


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into an error that says nothing was lost, and say what is read-only."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL | _READ_ONLY:
            raise
        refused = f"cannot write {error.filename or 'a file of the index'}: {os.strerror(error.errno or 0).lower()}; "
        if error.errno in _READ_ONLY:
            raise StorageReadOnly(
                f"{refused}expected a place that can be written to: give another one, or the permission to write there"
            ) from error
        raise StorageFull(
            f"{refused}free some space and run the same command again: everything committed so far is kept"
        ) from error


def sync_directory(directory: Path) -> None:
    """Make renames and creations in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file, then put it in place in one step.

    Raises:
        StorageFull: The disk is full; the old file, if any, is untouched.
    """
    _put_in_place(path.parent, write, lambda _: path, ending=f"-{path.name}")


def write_named_by_content(directory: Path, write: Callable[[Path], None], *, suffix: str) -> Path:
    """Let ``write`` fill a temporary file, then put it in place under the first 16 hex digits of its SHA-256.

    Raises:
        StorageFull: The disk is full; nothing was put there.
    """

    def named(temporary: Path) -> Path:
        return directory / f"{checksum(temporary)[:16]}{suffix}"

    return _put_in_place(directory, write, named, ending=suffix)


def _put_in_place(
    directory: Path, write: Callable[[Path], None], named: Callable[[Path], Path], *, ending: str
) -> Path:
    temporary = directory / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{ending}"
    with storage_errors():
        directory.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            sync_file(temporary)
            path = named(temporary)
            os.replace(temporary, path)
            sync_directory(directory)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically and durably."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomically(path, write)


def create_exclusively(path: Path, data: bytes) -> bool:
    """Publish a file under a name that must not exist yet; False when somebody else was first.

    The content is complete before the name appears: a hard link to a finished temporary file.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}-{path.name}"
    with storage_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            sync_file(temporary)
            os.link(temporary, path)
            sync_directory(path.parent)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
    return True


def to_json(value: object) -> bytes:
    """JSON for people and machines: sorted keys, two spaces, a newline at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CorruptFile: The file is not a JSON object.
    """
    return parse_json(path.read_bytes(), path)


def parse_json(written: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in the bytes of a file.

    Raises:
        CorruptFile: They are no JSON object; the message names the path.
    """
    try:
        value = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CorruptFile(f"{path} holds a JSON {type(value).__name__}; expected an object")
    return value
