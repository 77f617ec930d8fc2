"""Where things lie in an index directory."""

from __future__ import annotations

import re
from pathlib import Path

from c2vsearch.collection.manifest import Manifest, read_manifest
from c2vsearch.errors import CorruptFile, IndexNotFound

VERSIONS, SHARDS, VECTORS, LEXICAL, DELETES, SOURCES, LOCK = (
    "versions", "shards", "vectors", "lexical", "deletes", "sources", "lock",
)  # fmt: skip
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
    """Whether a directory holds an index, finished or begun."""
    return (root / VERSIONS).is_dir() or (root / SHARDS).is_dir()


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
    except CorruptFile as error:
        older = [number for number in there if number < chosen]
        advice = f"open an older version with --at {older[-1]}" if older else "build the index again with --rebuild"
        raise CorruptFile(f"{error}; {advice}") from error
