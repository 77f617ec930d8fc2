"""Which index is meant: the one given, or the one under ``./indexes``, looking upwards as git does."""

from __future__ import annotations

from pathlib import Path

from c2vsearch.cli.console import messages
from c2vsearch.errors import IndexNotFound
from c2vsearch.terminal import visible_line


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


def _newest(indexes: list[Path]) -> Path:
    chosen = max(
        indexes, key=lambda path: max(manifest.stat().st_mtime_ns for manifest in (path / "versions").glob("*.json"))
    )
    if len(indexes) > 1:
        names = ", ".join(sorted(visible_line(path.name) for path in indexes))
        messages().print(f"using {visible_line(chosen.name)}, the latest of {names} (choose with --index)", style="dim")
    return chosen
