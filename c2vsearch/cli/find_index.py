"""Which index is meant: the one given, or the one under ``./indexes``, looking upwards as git does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2vsearch.cli.console import messages
from c2vsearch.errors import IndexNotFound
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.collection import Collection

Place = Annotated[
    Path | None,
    typer.Option("--index", envvar="C2VSEARCH_INDEX", help="The index; by default the latest under ./indexes."),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="VERSION|TIME", help="The index as it was: 7, 2026-11-27, 2026-11-27T14:30."),
]
Device = Annotated[
    str,
    typer.Option("--device", help="Where vectors are searched: auto, cpu, cuda, cuda:1, cuda:0,1."),
]


def find_index(given: Path | None) -> Path:
    """The index directory to use.

    Raises:
        IndexNotFound: None was given and none lies under ``indexes`` here or in a directory above.
    """
    if given is not None:
        return given
    here = Path.cwd()
    for directory in (here, *here.parents):
        found = [path.parent for path in (directory / "indexes").glob("*/versions") if any(path.glob("*.json"))]
        if found:
            return _newest(found)
    raise IndexNotFound(
        "no index under ./indexes here or in a directory above; build one with: c2vsearch index DIR, or name one "
        "with --index"
    )


def open_index(place: Path | None, at: str | None, *, device: str = "auto") -> Collection:
    """The index that is meant, at the version that is meant.

    Raises:
        InvalidConfig: There is no such device, or it does not work.
        IndexNotFound: There is no such index or version.
        CorruptFile: It is damaged.
    """
    from c2vsearch.collection import Collection
    from c2vsearch.collection.history import version_at

    index = find_index(place)
    return Collection.open(index, version=None if at is None else version_at(index, at), device=device)


def _newest(indexes: list[Path]) -> Path:
    chosen = max(
        indexes, key=lambda path: max(manifest.stat().st_mtime_ns for manifest in (path / "versions").glob("*.json"))
    )
    if len(indexes) > 1:
        names = ", ".join(sorted(visible_line(path.name) for path in indexes))
        messages().print(f"using {visible_line(chosen.name)}, the latest of {names} (choose with --index)", style="dim")
    return chosen
