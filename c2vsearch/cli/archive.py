"""`c2vsearch pack` and `unpack`: an index as one file, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from c2vsearch.cli.console import size
from c2vsearch.cli.find_index import At, Place, find_index
from c2vsearch.terminal import visible_line

PACK_EXAMPLES = """Examples:

c2vsearch pack handbook.c2v

c2vsearch pack /mnt/backup/mine.c2v --index indexes/mine --at 2026-11-27"""
UNPACK_EXAMPLES = """Examples:

c2vsearch unpack handbook.c2v

c2vsearch unpack /mnt/backup/mine.c2v indexes/mine-again"""


def pack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; one of that name is replaced.")],
    place: Place = None,
    at: At = None,
) -> None:
    """Write an index as one file, to copy or to keep: a version of it, every byte verified on the way.

    The file is a plain ZIP without compression. What came through a pipe is in it as well, as it is now.
    """
    from c2vsearch.collection.archive import pack as pack_index
    from c2vsearch.collection.history import version_at

    index = find_index(place)
    packed = pack_index(index, file, None if at is None else version_at(index, at))
    sys.stdout.write(
        f"version {packed.version} of {visible_line(str(index))}: {packed.files} files, {size(packed.size_bytes)}, in "
        f"{visible_line(str(file))}\n"
    )


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `c2vsearch pack` wrote.")],
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Its place, empty or not there yet; ./indexes/<FILE name> by default."),
    ] = None,
) -> None:
    """Make an index of a file that `c2vsearch pack` wrote: the version that is in it, every byte verified.

    Nothing is there until all of it is. The directories it is an index of stay as they were told: where they are
    missing, the index answers and cannot be brought up to date.
    """
    from c2vsearch.collection.archive import unpack as unpack_index

    place = directory or Path("indexes") / file.stem
    packed = unpack_index(file, place)
    sys.stdout.write(
        f"version {packed.version}: {packed.files} files, {size(packed.size_bytes)}, in {visible_line(str(place))}\n"
    )
