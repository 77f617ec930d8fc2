"""Old versions and files nobody needs, removed after a commit. Only names this package gives are ever touched."""

from __future__ import annotations

import datetime
import shutil
import time
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.errors import C2VSearchError
from c2vsearch.shards import SHARD_SUFFIX

KEEP_VERSIONS = 5
# A version younger than this is kept as well: a reader may just have opened it.
KEEP_SECONDS = 600.0
# A shard no version names may hold the embeddings of a run that did not finish.
PENDING_SECONDS = 24 * 3600.0


def sweep(root: Path) -> None:
    """Drop versions beyond the last few, then files that no kept version names.

    A manifest goes before the files it names, so that a version is there whole or not at all. When a kept manifest
    cannot be read nothing is removed: it may need any file.
    """
    numbers = layout.versions(root)
    try:
        manifests = {number: layout.open_manifest(root, number) for number in numbers}
    except C2VSearchError:
        return
    young = {number for number, manifest in manifests.items() if _age_s(manifest.created) < KEEP_SECONDS}
    kept = {*numbers[-KEEP_VERSIONS:], *young}
    dropped = [number for number in numbers if number not in kept]
    for number in dropped:
        layout.manifest_path(root, number).unlink(missing_ok=True)
    if dropped:
        artifacts.sync_directory(root / layout.VERSIONS)
    needed = {layout.manifest_path(root, number).relative_to(root).as_posix() for number in kept}
    needed |= {entry.name for number in kept for entry in manifests[number].files()}
    needed |= {entry.directory for number in kept if (entry := manifests[number].lexical)}
    for room in layout.ROOMS:
        for path in (root / room).glob("*"):
            if f"{room}/{path.name}" not in needed and layout.OUR_NAMES.fullmatch(path.name) and not _pending(path):
                _remove(path)


def _age_s(created: str) -> float:
    try:
        return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(created)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")


def _pending(path: Path) -> bool:
    is_shard = path.suffix == SHARD_SUFFIX and not path.name.startswith(artifacts.TEMPORARY_PREFIX)
    return path.parent.name == layout.SHARDS and is_shard and time.time() - path.stat().st_mtime < PENDING_SECONDS


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
