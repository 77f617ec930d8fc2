"""A version of an index as one file, and back: a plain ZIP, stored and not compressed, that any tool can read.

It holds the manifest first, then what the manifest names, then what came through a pipe, each under its path in the
index. Names, order and dates follow from the version alone, so the same version gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.lock import write_lock
from c2vsearch.collection.manifest import FileEntry, Manifest, manifest_of
from c2vsearch.errors import CorruptFile, IndexNotFound, InvalidConfig
from c2vsearch.shards.text import decode_source, encode_source

BLOCK_BYTES = 1 << 20
# Read whole, so it has a limit: that of an index of about a terabyte.
MAX_MANIFEST_BYTES = 1 << 28
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a ZIP can tell
_ENCRYPTED = 0x1
_MOST_NAME_BYTES = 255  # of a part of a path, on every common file system
_PIPED = f"{layout.PIPED}/"


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive, or came out of one. ``size_bytes`` is that of the files in it."""

    version: int
    files: int
    size_bytes: int


def pack(root: Path | str, file: Path | str, version: int | None = None) -> Packed:
    """Write a version of an index, the newest by default, as one file. Every byte is verified on the way.

    A file of that name is replaced once the new one is whole; only its owner may read it, as it is with an index. What
    came through a pipe is no part of a version: the archive has it as it is now.

    Raises:
        IndexNotFound: There is no index or no such version, or it was removed meanwhile.
        CorruptFile: A file of the version is damaged.
        InvalidConfig: The file would lie in the index, or is a directory.
        StorageFull: The disk is full; a file that had the name is untouched.
        StorageReadOnly: Nothing can be written there.

    >>> import tempfile
    >>> from c2vsearch.encoder import HashEncoder
    >>> from c2vsearch.indexing import index_directory
    >>> with tempfile.TemporaryDirectory() as place:
    ...     notes = Path(place, "notes.md")
    ...     _ = notes.write_text("The ferry leaves at nine.")
    ...     _ = index_directory(notes, index=Path(place, "i"), encoder=HashEncoder(dim=16))
    ...     packed = pack(Path(place, "i"), Path(place, "i.c2v"))
    ...     unpack(Path(place, "i.c2v"), Path(place, "elsewhere")) == packed
    True
    """
    root, file = Path(root), Path(file)
    collection = Collection.open(root, version=version)
    if file.is_dir() or root.resolve() in file.resolve().parents:
        raise InvalidConfig(f"{file} is a directory or lies in the index; expected a file elsewhere")
    packed: list[int] = []

    def write(temporary: Path) -> None:
        temporary.touch(mode=0o600)
        with zipfile.ZipFile(temporary, "w") as archive:
            packed.extend(_write_members(archive, collection))

    artifacts.write_atomically(file, write)
    return Packed(collection.manifest.version, len(packed), sum(packed))


def unpack(file: Path | str, root: Path | str) -> Packed:
    """Make an index of an archive, in a directory that is not there yet or is empty.

    Every byte is compared with what the manifest says, which comes last: until then there is no index. After an error
    the directory is as it was. After a `kill -9` the same call starts again.

    Raises:
        CorruptFile: The file is no archive of an index, or holds something that its manifest does not say.
        IncompatibleVersion: It was written in another format.
        InvalidConfig: There is no such file, or something is in the directory.
        IndexLocked: Another process is writing there.
        StorageFull: The disk is full.
        StorageReadOnly: Nothing can be written there.
    """
    file, root = Path(file), Path(root)
    with _opened(file) as archive:
        manifest, written, members = _checked(archive, file)
        _refuse_occupied(root)
        new = not root.exists()
        with artifacts.storage_errors():
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with write_lock(root):
            _refuse_occupied(root)
            published = layout.manifest_path(root, manifest.version)
            try:
                _extract_all(archive, manifest, members, root)
                artifacts.create_exclusively(published, written)
            except BaseException:
                _take_back(root, [*(root / name for name in members), published], new=new)
                raise
    return Packed(manifest.version, 1 + len(members), len(written) + sum(info.file_size for info in members.values()))


def _write_members(archive: zipfile.ZipFile, collection: Collection) -> Iterator[int]:
    """Write all that a version consists of; the size of each file."""
    root, manifest = collection.root, collection.manifest
    path = layout.manifest_path(root, manifest.version)
    try:
        written = path.read_bytes()
    except FileNotFoundError as error:
        raise IndexNotFound(f"version {manifest.version} of {root} was removed while it was packed") from error
    with archive.open(_member(path.relative_to(root).as_posix(), len(written)), "w") as target:
        target.write(written)
    yield len(written)
    for entry in manifest.files():
        yield _write_verified(archive, collection, entry)
    for name in _piped(root):
        with (root / layout.PIPED / name).open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            with archive.open(_member(_PIPED + encode_source(name), size), "w") as target:
                _copy(source, target, limit=size)
        yield size


def _write_verified(archive: zipfile.ZipFile, collection: Collection, entry: FileEntry) -> int:
    try:
        with (collection.root / entry.name).open("rb") as source:
            with archive.open(_member(entry.name, entry.size_bytes), "w") as target:
                digest = _copy(source, target, limit=entry.size_bytes)
            if digest != entry.sha256 or source.read(1):  # a byte too many is damage as well
                raise CorruptFile(f"{collection.root / entry.name} is damaged")
    except (CorruptFile, FileNotFoundError):
        collection.verified(entry)  # says what is wrong with it, and what to do
        raise
    return entry.size_bytes


def _member(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system, info.external_attr, info.file_size = 3, (stat.S_IFREG | 0o644) << 16, size
    return info


def _piped(root: Path) -> list[str]:
    """The files that came through a pipe, by their names."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # most indexes have none
            raise error

    found = []
    for directory, below, names in os.walk(root / layout.PIPED, onerror=refuse):
        below[:] = [name for name in below if not name.startswith(".")]
        for path in (Path(directory, name) for name in names if not name.startswith(".")):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise InvalidConfig(f"{path} is not a plain file, and an archive holds nothing else: remove it")
            found.append(path.relative_to(root / layout.PIPED).as_posix())
    return sorted(found)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """An archive, open for reading. What goes wrong inside it is damage."""
    if not file.is_file():
        raise InvalidConfig(f"no file at {file}; expected one written by c2vsearch pack")
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, UnicodeError) as error:
        raise CorruptFile(
            f"{file} is damaged, or no archive of an index: {error}; expected one by c2vsearch pack"
        ) from error


def _checked(archive: zipfile.ZipFile, file: Path) -> tuple[Manifest, bytes, dict[str, zipfile.ZipInfo]]:
    """The manifest, its bytes, and the other members by their paths in the index; anything unexpected is refused."""
    members = _plain_members(archive, file)
    manifests = [name for name in members if name.startswith(f"{layout.VERSIONS}/")]
    if len(manifests) != 1:
        raise CorruptFile(f"{file} has {len(manifests)} manifests; expected one, as c2vsearch pack writes it")
    with archive.open(members.pop(manifests[0])) as source:
        written = source.read(MAX_MANIFEST_BYTES)
    manifest = manifest_of(written, file / manifests[0])
    if manifests[0] != layout.manifest_path(Path(), manifest.version).as_posix():
        raise CorruptFile(f"{file} calls its manifest {manifests[0]!r}; expected one written by c2vsearch pack")
    sizes = {entry.name: entry.size_bytes for entry in manifest.files()}
    for name in [*members, *sizes]:
        room = name.partition("/")[0]
        if room not in layout.ROOMS and not (room == layout.PIPED and name in members):
            raise CorruptFile(f"{file} holds {name!r}, which is no file of an index; nothing was unpacked")
        if room != layout.PIPED and (name not in members or members[name].file_size != sizes.get(name)):
            there = f"{members[name].file_size} bytes" if name in members else "nothing"
            raise CorruptFile(f"{file} has {there} of {name}; expected {sizes.get(name, 'none')}; nothing was unpacked")
    return manifest, written, members


def _plain_members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """Members by their paths in the index. Only plain stored files with plain paths, each of them once."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = (
            _PIPED + decode_source(info.filename[len(_PIPED) :]) if info.filename.startswith(_PIPED) else info.filename
        )
        stored = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED
        plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
        if not stored or not plain or info.filename != info.orig_filename or not _is_plain_path(name):
            raise CorruptFile(
                f"{file} holds {name!r}: expected plain files, stored under plain paths; nothing was unpacked"
            )
        if name in members:
            raise CorruptFile(f"{file} holds {name!r} twice; nothing was unpacked")
        members[name] = info
    if clash := {str(above) for name in members for above in PurePosixPath(name).parents} & set(members):
        raise CorruptFile(f"{file} holds {min(clash)!r} as a file and as a directory; nothing was unpacked")
    if sum(info.file_size for info in members.values()) > file.stat().st_size:
        raise CorruptFile(f"{file} holds more than its own size: members share their bytes; nothing was unpacked")
    return members


def _is_plain_path(name: str) -> bool:
    """Whether a path leads below where it starts, and is no hidden file that came through a pipe."""
    path = PurePosixPath(name)
    hidden = name.startswith(_PIPED) and any(part.startswith(".") for part in path.parts)
    whole = str(path) == name and not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return whole and not hidden and all(len(os.fsencode(part)) <= _MOST_NAME_BYTES for part in path.parts)


def _refuse_occupied(root: Path) -> None:
    """Only what an unpacking that was killed left may be there: files no version names.

    Raises:
        InvalidConfig: Something else is.
    """
    layout.refuse_foreign(root)
    if root.is_dir() and (layout.versions(root) or (root / layout.PIPED).exists()):
        raise InvalidConfig(f"{root} is an index already; expected a directory that is empty, or not there yet")


def _extract_all(archive: zipfile.ZipFile, manifest: Manifest, members: dict[str, zipfile.ZipInfo], root: Path) -> None:
    """Put every file in its place; what came through a pipe last, because a next try may not replace it."""
    hashes = {entry.name: entry.sha256 for entry in manifest.files()}
    for name in sorted(members, key=lambda name: (name.startswith(_PIPED), name)):
        _extract(archive, members[name], root / name, expected=hashes.get(name))


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, *, expected: str | None) -> None:
    def write(temporary: Path) -> None:
        with archive.open(info) as source, temporary.open("wb") as target:
            digest = _copy(source, target, limit=info.file_size)
        if expected not in (None, digest):
            raise CorruptFile(f"{archive.filename} is damaged: {info.filename} is not what its manifest says")

    artifacts.write_atomically(path, write)


def _copy(source: IO[bytes], target: IO[bytes], *, limit: int) -> str:
    """Copy so many bytes; their SHA-256, in hex. Fewer are damage."""
    digest, left = hashlib.sha256(), limit
    while left > 0:
        block = source.read(min(left, BLOCK_BYTES))
        if not block:
            raise CorruptFile(f"{getattr(source, 'name', 'a file')} has {limit - left} bytes; expected {limit}")
        digest.update(block)
        target.write(block)
        left -= len(block)
    return digest.hexdigest()


def _take_back(root: Path, paths: list[Path], *, new: bool) -> None:
    """Remove some files, the last first, and the directories that nothing is left in."""
    for path in (*reversed(paths), *root.rglob(f"{artifacts.TEMPORARY_PREFIX}*")):
        path.unlink(missing_ok=True)
    if not any(path.is_file() for path in root.rglob("*") if path != root / layout.LOCK):
        for directory in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            directory.rmdir()
        (root / layout.LOCK).unlink(missing_ok=True)
        if new:
            root.rmdir()
