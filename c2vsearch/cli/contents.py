"""`c2vsearch ls`, `get` and `rm`: what is in an index, a text of it, and files taken out of it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import messages, plain_table, print_json, results, size
from c2vsearch.cli.find_index import At, Place, find_index, open_index
from c2vsearch.errors import InvalidConfig, SourceNotFound
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from c2vsearch.collection import Collection, SourceState

LS_EXAMPLES = """Examples:

c2vsearch ls

c2vsearch ls 'docs/*.pdf' --json"""
GET_EXAMPLES = """Examples:

c2vsearch get docs/ferry.md

c2vsearch get docs/ferry.md:10-20

c2vsearch get 'mail.zip!/report.pdf'"""
RM_EXAMPLES = """Examples:

c2vsearch rm docs/old.md 'drafts/'

c2vsearch rm --root ~/papers"""
_LINES = re.compile(r"(.+):(\d+)(?:-(\d+))?$", re.DOTALL)


def ls(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="GLOB", help="Only files that match.")] = None,
    place: Place = None,
    at: At = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """List the files of an index: how each stands, and how many documents and chunks it gave."""
    collection = open_index(place, at)
    states = _matching(collection, patterns or [])
    if as_json:
        print_json([_record(state) for state in states])
    else:
        table = plain_table("file", "state", "documents", "chunks", "size", right=("documents", "chunks", "size"))
        for state in states:
            told = f"{state.status}: {state.reason}" if state.reason else state.status
            counts = (str(state.documents), str(state.chunks)) if state.status == "indexed" else ("", "")
            table.add_row(visible_line(state.source), told, *counts, size(state.size_bytes))
        results().print(table)
    if not states:
        raise typer.Exit(1)


def get(
    path: Annotated[str, typer.Argument(metavar="PATH[:FROM-TO]", help="A file of the index, or lines of it.")],
    place: Place = None,
    at: At = None,
) -> None:
    """Print the text of a file as it was indexed, without reading the file again."""
    from c2vsearch.collection.contents import chunks_of, lines_of, text_of

    collection = open_index(place, at)
    name, first, last = _asked(collection, path)
    source, _, member = name.partition("!/")
    chunks = chunks_of(collection, source, member or None)
    members = list(dict.fromkeys(chunk.member for chunk in chunks))
    if not chunks:
        raise SourceNotFound(f"{collection.root} has no text of {path}; c2vsearch ls shows what it has")
    if len(members) > 1:
        for inside in members:
            sys.stdout.write(f"{visible_line(source)}!/{visible_line(inside)}\n")
        messages().print("It holds several documents; name one of them.", style="dim")
        return
    text = lines_of(chunks, first, last) if first else text_of(chunks)
    sys.stdout.write((visible(text) if sys.stdout.isatty() else text).rstrip("\n") + "\n")


def rm(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Files of the index, directories or globs.")
    ] = None,
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="A whole root, by its path or its label.")
    ] = None,
    place: Place = None,
) -> None:
    """Take files out of an index, and keep them out; the files themselves are not touched.

    They come back with `c2vsearch index --exclude ''`, which forgets what was left out.
    """
    from c2vsearch.indexing.removal import remove_files, remove_root

    if bool(patterns) == (root is not None):
        raise InvalidConfig("expected either files to take out, or --root")
    index = find_index(place)
    names = remove_root(index, root) if root is not None else remove_files(index, patterns or [])
    for name in names:
        sys.stdout.write(visible_line(name) + "\n")
    messages().print(f"{len(names)} files taken out of {visible_line(str(index))}", style="dim")


def _matching(collection: Collection, patterns: list[str]) -> list[SourceState]:
    from pathspec import GitIgnoreSpec

    wanted = GitIgnoreSpec.from_lines(patterns)
    return [
        state for name, state in sorted(collection.sources.items())
        if not patterns or name in patterns or wanted.match_file(name)
    ]  # fmt: skip


def _record(state: SourceState) -> dict[str, Any]:
    return {
        "path": state.source, "status": state.status, "reason": state.reason, "detail": state.detail,
        "documents": state.documents, "chunks": state.chunks, "size_bytes": state.size_bytes,
        "mtime_ns": state.mtime_ns,
    }  # fmt: skip


def _asked(collection: Collection, path: str) -> tuple[str, int, int]:
    """The name and the lines; a file whose name ends like lines is itself."""
    match = _LINES.match(path)
    if match is None or path.partition("!/")[0] in collection.sources:
        return path, 0, 0
    first = int(match.group(2))
    last = int(match.group(3) or first)
    if not 1 <= first <= last:
        raise InvalidConfig(f"{path} names the lines {first} to {last}; expected from 1 on, the first before the last")
    return match.group(1), first, last
