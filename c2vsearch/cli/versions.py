"""`c2vsearch log`, `restore`, `verify`, `compact` and `vacuum`: an index as a database."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from c2vsearch.cli.console import messages, plain_table, print_json, results, size
from c2vsearch.cli.find_index import Place, find_index
from c2vsearch.errors import InvalidConfig
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.collection.history import Version

LOG_EXAMPLES = """Examples:

c2vsearch log

c2vsearch query "ferry times" --at 3"""
RESTORE_EXAMPLES = """Examples:

c2vsearch restore 3

c2vsearch restore 2026-11-27T14:30"""
VERIFY_EXAMPLES = """Examples:

c2vsearch verify

c2vsearch verify --repair"""
COMPACT_EXAMPLES = """Examples:

c2vsearch compact --index indexes/mine"""
VACUUM_EXAMPLES = """Examples:

c2vsearch vacuum --dry-run

c2vsearch vacuum --keep 1 --younger-than 0s"""
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def log(
    place: Place = None, as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False
) -> None:
    """List the versions of an index, the current one first."""
    from c2vsearch.collection.history import history

    versions = history(find_index(place))
    if as_json:
        print_json([dataclasses.asdict(version) for version in versions])
        return
    table = plain_table("version", "created", "files", "chunks", "", right=("version", "files", "chunks"))
    for version in versions:
        counts = ("", "") if version.problem else (str(version.files), str(version.chunks))
        table.add_row(str(version.number), version.created, *counts, _told(version))
    results().print(table)


def restore(
    version: Annotated[str, typer.Argument(metavar="VERSION|TIME", help="7, 2026-11-27 or 2026-11-27T14:30.")],
    place: Place = None,
) -> None:
    """Make an older version of an index the current one again, as a new version.

    Files are not touched: the next `c2vsearch index` brings the index up to date with them again.
    """
    from c2vsearch.collection.history import version_at
    from c2vsearch.collection.maintenance import restore as restore_version

    index = find_index(place)
    old = version_at(index, version)
    sys.stdout.write(f"version {restore_version(index, old)} is version {old} again\n")


def verify(
    place: Place = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what can be made of the shards; no model is needed.")
    ] = False,
) -> None:
    """Compare every byte of an index with what was recorded, and its parts with each other; exit 6 on damage."""
    from c2vsearch.collection import Collection
    from c2vsearch.collection.maintenance import repair as repair_index

    index = find_index(place)
    for name in repair_index(index) if repair else []:
        sys.stdout.write(f"{visible_line(name)}: made anew\n")
    sys.stdout.write(f"{Collection.open(index).verify()} files, every byte as recorded\n")


def compact(place: Place = None) -> None:
    """Write rows anew without the deleted ones, and small files together. Answers stay the same."""
    from c2vsearch.collection import Collection
    from c2vsearch.collection.maintenance import compact as compact_index

    index = find_index(place)
    before = Collection.open(index).stats()
    compact_index(index)
    after = Collection.open(index).stats()
    if after.version == before.version:
        sys.stdout.write("there is nothing to gain\n")
        return
    sys.stdout.write(
        f"version {after.version}: {before.deleted} deleted rows gone, shards {before.shards} -> {after.shards}, "
        f"segments {before.segments} -> {after.segments}\n"
    )
    messages().print("Older versions keep their files until they are removed: c2vsearch vacuum", style="dim")


def vacuum(
    place: Place = None,
    keep: Annotated[int, typer.Option(help="How many of the newest versions stay.")] = 1,
    younger_than: Annotated[
        str, typer.Option(metavar="TIME", help="Versions that were current so recently stay as well: 90s, 10m, 2h, 7d.")
    ] = "10m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Remove old versions with the files that only they need, and what unfinished runs left.

    A reader that has an old version open loses it: leave those that may be in use their time.
    """
    from c2vsearch.collection.maintenance import vacuum as vacuum_index

    if keep < 1:
        raise InvalidConfig(f"--keep is {keep}; expected 1 or more: the current version always stays")
    swept = vacuum_index(find_index(place), keep_versions=keep, keep_seconds=_seconds(younger_than), dry_run=dry_run)
    if as_json:
        print_json(dataclasses.asdict(swept))
        return
    done = "would be removed" if dry_run else "removed"
    sys.stdout.write(f"{len(swept.versions)} versions and {len(swept.files)} files {done}, {size(swept.size_bytes)}\n")


def _told(version: Version) -> str:
    """What is unusual about it."""
    if version.problem:
        return "cannot be read"
    if version.parent is None:
        return "built from nothing"
    return "" if version.parent == version.number - 1 else f"from version {version.parent}"


def _seconds(text: str) -> float:
    """Seconds of a time as people write it.

    >>> _seconds("10m"), _seconds("1.5h")
    (600.0, 5400.0)
    """
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise InvalidConfig(f"--younger-than is {text!r}; expected a number with s, m, h or d, such as 10m")
    return float(match.group(1)) * _SECONDS[match.group(2)]
