"""Where things lie in an index directory."""

from __future__ import annotations

import re
from pathlib import Path

from c2vsearch.artifacts import TEMPORARY_PREFIX
from c2vsearch.collection.manifest import Manifest, read_manifest
from c2vsearch.errors import CorruptFile, IndexNotFound, InvalidConfig

VERSIONS, SHARDS, VECTORS, LEXICAL, DELETES, SOURCES, QUESTIONS, LOCK = (
    "versions", "shards", "vectors", "lexical", "deletes", "sources", "questions", "lock",
)  # fmt: skip
ROOMS = (VERSIONS, SHARDS, VECTORS, LEXICAL, DELETES, SOURCES, QUESTIONS)
# Files that came through a pipe, which are nowhere else: a root of the index, not a part of its versions.
PIPED = "piped"
# What this package calls a file in one of those: a leftover of that name may be removed, anything else is not ours.
OUR_NAMES = re.compile(
    rf"{re.escape(TEMPORARY_PREFIX)}.*|[0-9a-f]{{16}}\.(parquet|faiss)|\d{{8}}-[0-9a-f]{{8}}|\d{{8}}\.json"
)
_MANIFEST = re.compile(r"(\d{8})\.json")


def manifest_path(root: Path, version: int) -> Path:
    """The file whose existence is the commit of a version."""
    return root / VERSIONS / f"{version:08d}.json"


def versions(root: Path) -> list[int]:
    """The versions that are there, oldest first."""
    if not (root / VERSIONS).is_dir():
        return []
    matches = (_MANIFEST.fullmatch(path.name) for path in (root / VERSIONS).iterdir())
    return sorted(int(match.group(1)) for match in matches if match)


def is_index(root: Path) -> bool:
    """Whether a directory holds an index, finished or begun. A directory that merely has `versions/` is none."""
    if versions(root):
        return True
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    begun = bool(names & {LOCK, PIPED}) and names <= {LOCK, PIPED, *ROOMS}
    return begun and all(OUR_NAMES.fullmatch(path.name) for room in ROOMS for path in (root / room).glob("*"))


def refuse_foreign(root: Path) -> None:
    """Refuse to write where something else is.

    Raises:
        InvalidConfig: The directory is not empty and holds no index, or is a file.
    """
    if root.is_file():
        raise InvalidConfig(f"{root} is a file; expected a directory for the index")
    if (root / LOCK).is_symlink():
        raise InvalidConfig(f"{root / LOCK} is a symbolic link; expected a plain file: remove it")
    if root.is_dir() and not is_index(root):
        strangers = sorted(path.name for path in root.iterdir() if path.name != LOCK)
        if strangers:
            raise InvalidConfig(
                f"{root} is not an index and is not empty (it holds {strangers[0]!r}); give another place with --index"
            )


def open_manifest(root: Path, version: int | None = None) -> Manifest:
    """The manifest of a version, the newest by default.

    Raises:
        IndexNotFound: There is no index, or no such version.
        CorruptFile: The manifest is damaged; an older version is never taken silently.
    """
    there = versions(root)
    if not there:
        raise IndexNotFound(f"no index at {root}; build one with: c2vsearch index DIR --index {root}")
    chosen = there[-1] if version is None else version
    if chosen not in there:
        raise IndexNotFound(f"{root} has no version {version}; it has {', '.join(map(str, there))}")
    try:
        return read_manifest(manifest_path(root, chosen))
    except FileNotFoundError as error:  # a writer swept it between the listing and the reading
        if version is None and versions(root) not in ([], there):
            return open_manifest(root)
        raise IndexNotFound(f"version {chosen} of {root} was removed while it was opened; open it again") from error
    except CorruptFile as error:
        good = _last_good(root, [number for number in there if number < chosen])
        advice = f"open an older version with --at {good}" if good else "build the index again with --rebuild"
        raise CorruptFile(f"{error}; {advice}") from error


def _last_good(root: Path, numbers: list[int]) -> int | None:
    for number in reversed(numbers):
        try:
            read_manifest(manifest_path(root, number))
        except (CorruptFile, FileNotFoundError):
            continue
        return number
    return None


def is_sole(name: str) -> bool:
    """Whether a file of a manifest can be made of nothing else: rows, and which of them do not count."""
    return name.partition("/")[0] in {SHARDS, DELETES}


def lexical_key(shard: str, row: int) -> str:
    """What the keyword index calls a row of a shard.

    >>> lexical_key("shards/0123456789abcdef.parquet", 7)
    '0123456789abcdef:7'
    """
    return f"{Path(shard).stem}:{row}"


def shard_row(key: str) -> tuple[str, int]:
    """The inverse of `lexical_key`.

    >>> shard_row("0123456789abcdef:7")
    ('shards/0123456789abcdef.parquet', 7)
    """
    stem, _, row = key.rpartition(":")
    return f"{SHARDS}/{stem}.parquet", int(row)
