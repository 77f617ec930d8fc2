"""Old versions and files nobody needs, removed after a commit. Only names this package gives are ever touched."""

from __future__ import annotations

import datetime
import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.manifest import Manifest
from c2vsearch.errors import C2VSearchError
from c2vsearch.shards import SHARD_SUFFIX

KEEP_VERSIONS = 5
# A version that was current so recently is kept as well: a reader may just have opened it, however old it is.
KEEP_SECONDS = 600.0
# But many syncs in a short time must not fill the disk: no more such versions than this, and together no more bytes
# than the larger of these, the second in sizes of the current version.
MAX_RECENT = 100
MAX_RECENT_BYTES, MAX_RECENT_SIZES = 64_000_000, 4
# A shard no version names may hold the embeddings of a run that did not finish.
PENDING_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed, or would be: versions, and files (below the index) that only they or nobody named."""

    versions: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    size_bytes: int = 0


def sweep(
    root: Path, *, keep_versions: int | None = None, keep_seconds: float | None = None,
    pending_seconds: float | None = None, dry_run: bool = False,
) -> Swept:  # fmt: skip
    """Drop versions beyond the last few, then files that no kept version names.

    Without ``keep_seconds`` versions that were current lately stay as far as there is room for them; with it, all of
    them. A manifest goes before the files it names, so that a version is there whole or not at all. When a kept
    manifest cannot be read nothing is removed: it may need any file.
    """
    numbers = layout.versions(root)
    try:
        manifests = {number: layout.open_manifest(root, number) for number in numbers}
    except C2VSearchError:
        return Swept()
    last = numbers[-(KEEP_VERSIONS if keep_versions is None else keep_versions) :]
    seconds = KEEP_SECONDS if keep_seconds is None else keep_seconds
    recent = [old for old, new in itertools.pairwise(numbers) if _age_s(manifests[new].created) < seconds]
    kept = {*last, *(_affordable(manifests, last, recent) if keep_seconds is None else recent)}
    dropped = [number for number in numbers if number not in kept]
    gone = _unneeded(
        root, [manifests[number] for number in sorted(kept)], [manifests[number] for number in dropped], pending_seconds
    )
    swept = Swept(
        tuple(dropped),
        tuple(path.relative_to(root).as_posix() for path in gone),
        sum(map(_size_bytes, gone)) + sum(layout.manifest_path(root, number).stat().st_size for number in dropped),
    )
    if not dry_run:
        for number in dropped:
            layout.manifest_path(root, number).unlink(missing_ok=True)
        if dropped:
            artifacts.sync_directory(root / layout.VERSIONS)
        for path in gone:
            _remove(path)
    return swept


def _affordable(manifests: Mapping[int, Manifest], last: Sequence[int], recent: Sequence[int]) -> list[int]:
    """The newest of some versions for which there is room beside the last few. Files of the same bytes count once."""
    counted = {entry.sha256 for number in last for entry in manifests[number].files()}
    current = sum(entry.size_bytes for entry in manifests[last[-1]].files()) if last else 0
    room = max(MAX_RECENT_BYTES, MAX_RECENT_SIZES * current)
    found: list[int] = []
    for number in reversed([number for number in recent if number not in last]):
        more = {entry.sha256: entry.size_bytes for entry in manifests[number].files() if entry.sha256 not in counted}
        room -= sum(more.values())
        if room < 0 or len(found) == MAX_RECENT:
            break
        counted.update(more)
        found.append(number)
    return found


def _unneeded(
    root: Path, kept: Sequence[Manifest], dropped: Sequence[Manifest], pending_seconds: float | None
) -> list[Path]:
    """What none of the kept versions names. The manifests of those that are dropped are not among it."""
    needed = {_manifest_name(manifest) for manifest in (*kept, *dropped)}
    for manifest in kept:
        needed.update(entry.name for entry in manifest.files())
        if manifest.lexical:
            needed.add(manifest.lexical.directory)
    # A shard that a version named is not that of a run that did not finish.
    done_with = {entry.name for manifest in dropped for entry in manifest.shards}
    limit = PENDING_SECONDS if pending_seconds is None else pending_seconds
    return [
        path for room in layout.ROOMS for path in sorted((root / room).glob("*"))
        if (name := f"{room}/{path.name}") not in needed and layout.OUR_NAMES.fullmatch(path.name)
        and (name in done_with or not _pending(path, limit))
    ]  # fmt: skip


def _manifest_name(manifest: Manifest) -> str:
    return layout.manifest_path(Path(), manifest.version).as_posix()


def _size_bytes(path: Path) -> int:
    """What removing it gives back; a file that other names link to gives nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(map(_size_bytes, path.iterdir()))
    status = path.lstat()
    return status.st_size if status.st_nlink == 1 else 0


def _age_s(created: str) -> float:
    try:
        return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(created)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")


def _pending(path: Path, seconds: float) -> bool:
    is_shard = path.suffix == SHARD_SUFFIX and not path.name.startswith(artifacts.TEMPORARY_PREFIX)
    return path.parent.name == layout.SHARDS and is_shard and time.time() - path.stat().st_mtime < seconds


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
