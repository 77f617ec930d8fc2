"""The versions of an index: which there are, which was current at a time, and publishing the next one."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.manifest import Manifest
from c2vsearch.collection.roots import portable
from c2vsearch.errors import C2VSearchError, IndexLocked, IndexNotFound, InvalidConfig


@dataclass(frozen=True, slots=True)
class Version:
    """A version in the log. One that cannot be read has a ``problem`` and nothing else."""

    number: int
    created: str = ""
    parent: int | None = None
    chunks: int = 0
    files: int = 0
    written_by: str = ""
    problem: str = ""


def history(root: Path | str) -> list[Version]:
    """The versions that are there, newest first.

    Raises:
        IndexNotFound: There is no index.
    """
    root = Path(root)
    numbers = layout.versions(root)
    if not numbers:
        raise IndexNotFound(f"no index at {root}; build one with: c2vsearch index DIR --index {root}")
    return [_described(root, number) for number in reversed(numbers)]


def _described(root: Path, number: int) -> Version:
    try:
        manifest = layout.open_manifest(root, number)
    except C2VSearchError as error:  # damaged, of another format, or swept meanwhile
        return Version(number, problem=str(error))
    counts = manifest.counts
    files = counts.get("sources_indexed", 0)
    return Version(number, manifest.created, manifest.parent, counts["chunks"], files, manifest.written_by)


def version_at(root: Path | str, at: str) -> int:
    """The version of that number, or the one that was current at a time; local time where none is said.

    Args:
        root: The index directory.
        at: ``7``, or ISO 8601 as in ``2026-11-27`` (its end) or ``2026-11-27T14:30``.

    Raises:
        InvalidConfig: It is neither.
        IndexNotFound: There is no such version, or none is so old.
    """
    if at.isascii() and at.isdigit():
        return int(at)
    moment = _moment(at)
    known = [version for version in history(root) if version.created]
    for version in known:
        if datetime.datetime.fromisoformat(version.created) <= moment:
            return version.number
    oldest = f"the oldest is version {known[-1].number} of {known[-1].created}" if known else "none can be read"
    raise IndexNotFound(f"{root} has no version as old as {at}; {oldest}")


def _moment(at: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(at)
        if len(at) == len("2026-11-27"):
            moment += datetime.timedelta(days=1, microseconds=-1)
        return moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidConfig(
            f"{at!r} is neither a version nor a time; expected such as 7, 2026-11-27 or 2026-11-27T14:30"
        ) from error


def publish(root: Path, manifest: Manifest) -> Manifest:
    """Commit a version: from now on it is the current one. Everything it names is on the disk already.

    Raises:
        IndexLocked: A version of that number appeared meanwhile.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    manifest = dataclasses.replace(manifest, created=now)
    written = dataclasses.replace(manifest, roots=tuple(portable(each, root.resolve()) for each in manifest.roots))
    if not artifacts.create_exclusively(layout.manifest_path(root, manifest.version), written.to_bytes()):
        raise IndexLocked(f"version {manifest.version} of {root} appeared meanwhile; try again")
    return manifest
