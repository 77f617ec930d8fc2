"""`c2vsearch chunks`: how files are read and cut, for a person to look at."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import json_value, messages, print_json, results
from c2vsearch.cli.options import chunk_sizes, given, names
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.records import path_of
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from rich.text import Text

    from c2vsearch.indexing import CutFile
    from c2vsearch.records import Chunk, Document, FileReport, SourceFile

EXAMPLES = """Examples:

c2vsearch chunks report.pdf

c2vsearch chunks docs/ --max-tokens 128 --json

curl -s https://example.org | c2vsearch chunks - --name page.html"""


def chunks(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files or directories; - reads stdin.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What stdin is called: its suffix may say how it is read.")
    ] = "stdin.txt",
    model: Annotated[str, typer.Option(help="The model whose tokens are counted.")] = DEFAULT_MODEL,
    max_tokens: Annotated[int | None, typer.Option(help="As of `index`.")] = None,
    overlap_tokens: Annotated[int | None, typer.Option(help="As of `index`.")] = None,
    text_field: Annotated[str | None, typer.Option(metavar="NAME", help="As of `index`.")] = None,
    id_field: Annotated[str | None, typer.Option(metavar="NAME", help="As of `index`.")] = None,
    metadata_fields: Annotated[str | None, typer.Option(metavar="NAMES", help="As of `index`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show how files are read and cut: each chunk with its lines, its tokens, and what is embedded above it.

    Nothing is embedded or written. What a chunk repeats of the one before is dim.
    """
    from c2vsearch.config import ReadingConfig
    from c2vsearch.indexing import cut_files

    reading = given(text_field=text_field, id_field=id_field, metadata_fields=names(metadata_fields))
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as place:
        sources, refused = _found(files, name, Path(place))
        outcome = _Outcome(refused)
        cuts = cut_files(
            sources, encoder=model, chunking=chunk_sizes(max_tokens, overlap_tokens), reading=ReadingConfig(**reading)
        )
        for cut in cuts:
            outcome.add(cut)
            if not as_json:
                _show(cut)
    if as_json:
        print_json(outcome.record())
    else:
        outcome.show()
    if not outcome.chunks or any(problem.status == "failed" for problem in outcome.problems):
        raise typer.Exit(1)


class _Outcome:
    """What became of all of them."""

    def __init__(self, reports: list[FileReport]) -> None:
        self.problems = list(reports)
        self.documents: list[tuple[Document, list[Chunk]]] = []

    @property
    def chunks(self) -> list[Chunk]:
        return [chunk for _, chunks in self.documents for chunk in chunks]

    def add(self, cut: CutFile) -> None:
        self.problems += [*([cut.report] if cut.report else []), *cut.refused]
        self.documents += _by_document(cut)

    def show(self) -> None:
        console = messages()
        for problem in self.problems:
            reason = f"{problem.status}: {problem.reason}" if problem.reason else problem.status
            path = visible_line(path_of(problem.source, problem.member))
            console.print(f"{path}: {reason}, {visible_line(problem.detail)}")
        if self.chunks:
            tokens = sorted(chunk.tokens for chunk in self.chunks)
            sizes = f"smallest {tokens[0]}, median {tokens[len(tokens) // 2]}, largest {tokens[-1]}"
            console.print(f"{len(tokens)} chunks, {sum(tokens):,} tokens ({sizes})", style="dim")

    def record(self) -> dict[str, Any]:
        return {
            "documents": [_record(document, chunks) for document, chunks in self.documents],
            "problems": [
                {
                    "path": path_of(report.source, report.member), "status": report.status, "reason": report.reason,
                    "detail": report.detail,
                }
                for report in self.problems
            ],
        }  # fmt: skip


def _found(files: list[Path], name: str, place: Path) -> tuple[list[SourceFile], list[FileReport]]:
    """What there is at each path, called as it was typed, and what cannot be read."""
    from c2vsearch.config import WalkConfig
    from c2vsearch.ingest import walk
    from c2vsearch.records import SourceFile

    found: list[SourceFile | FileReport] = []
    for path in files:
        if str(path) == "-":
            kept = place / "piped"
            kept.write_bytes(sys.stdin.buffer.read())
            found += [dataclasses.replace(entry, source=name) for entry in walk(kept, config=WalkConfig())]
        else:
            above = path.parent if path.is_file() else path
            entries = walk(path, config=WalkConfig())
            found += [dataclasses.replace(entry, source=(above / entry.source).as_posix()) for entry in entries]
    sources = [entry for entry in found if isinstance(entry, SourceFile)]
    return sources, [entry for entry in found if not isinstance(entry, SourceFile)]


def _by_document(cut: CutFile) -> list[tuple[Document, list[Chunk]]]:
    return [(document, [chunk for chunk in cut.chunks if chunk.doc_id == document.id]) for document in cut.documents]


def _record(document: Document, chunks: list[Chunk]) -> dict[str, Any]:
    return {
        "path": path_of(document.source, document.member), "kind": document.kind, "title": document.title,
        "characters": len(document.text),
        "metadata": {key: json_value(value) for key, value in sorted(document.metadata.items())},
        "chunks": [
            {
                "id": chunk.id, "start": chunk.start, "end": chunk.end, "start_line": chunk.start_line,
                "end_line": chunk.end_line, "page": chunk.page, "heading_path": list(chunk.heading_path),
                "tokens": chunk.tokens, "context": chunk.context, "text": chunk.text, "hash": chunk.hash,
            }
            for chunk in chunks
        ],
    }  # fmt: skip


def _show(cut: CutFile) -> None:
    from rich.text import Text

    console = results()
    for document, chunks in _by_document(cut):
        header = Text(visible_line(path_of(document.source, document.member)), style="bold cyan")
        title = f"  {visible_line(document.title)}" if document.title else ""
        console.print(header.append(f"  {document.kind}{title}", style="dim not bold"))
        reached = 0
        for number, chunk in enumerate(chunks, start=1):
            console.print(Text(f"{number:>4}  {_place(chunk)}  {chunk.tokens} tokens", style="bold"))
            for above in chunk.context.splitlines():
                console.print(Text(f"      {visible_line(above)}", style="dim italic"))
            for line in _text(chunk, repeated=max(0, reached - chunk.start)).split("\n"):
                console.print(Text("      ").append_text(line))
            reached = chunk.end
        console.print()


def _place(chunk: Chunk) -> str:
    lines = f"{chunk.start_line}" if chunk.start_line == chunk.end_line else f"{chunk.start_line}-{chunk.end_line}"
    return f"page {chunk.page}" if chunk.page else f"lines {lines}"


def _text(chunk: Chunk, *, repeated: int) -> Text:
    """The text, what was in the chunk before dim."""
    from rich.text import Text

    return Text(visible(chunk.text[:repeated]), style="dim").append(visible(chunk.text[repeated:]), style="not dim")
