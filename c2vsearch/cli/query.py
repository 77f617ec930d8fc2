"""`c2vsearch query`: ask an index."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from c2vsearch.cli.console import json_value, messages, print_json, results
from c2vsearch.cli.filters import MetadataPairs, Paths, Since, Types, Until, WhereText, asked_filter
from c2vsearch.cli.find_index import At, Place, open_index
from c2vsearch.config import TASKS, SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Hit, Mode, path_of
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from rich.text import Text

    from c2vsearch.collection import Collection

EXAMPLES = """Examples:

c2vsearch query "how do I renew the certificate"

c2vsearch query "where are sessions stored" --task code -k 5 --json | jq '.[0].path'

c2vsearch query "who is on call" --path 'docs/**' --type md --since 2026-01-01 -m team=ops

c2vsearch query "who is on call" --where "team = 'ops' and (year >= 2024 or tags contains 'urgent')"

c2vsearch query '"renewal date" certificate -draft'

c2vsearch query 'what does "-k" stand for'"""
SNIPPET_CHARS = 320


def query(
    words: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help='The question, with "phrases" and -exclusions; - reads it from stdin.'),
    ],
    place: Place = None,
    k: Annotated[int, typer.Option("--top-k", "-k", "--limit", "-n", help="Hits to show.")] = SearchConfig.k,
    mode: Annotated[str, typer.Option(help="hybrid, dense or bm25.")] = SearchConfig.mode,
    rerank: Annotated[
        bool, typer.Option(help="Look at the best candidates again, token by token.")
    ] = SearchConfig.rerank,
    candidates: Annotated[int, typer.Option(help="Chunks each leg contributes.")] = SearchConfig.candidates,
    task: Annotated[str | None, typer.Option(help=f"What the search is for: {', '.join(TASKS)}.")] = None,
    instruction: Annotated[str | None, typer.Option(help="The same in your own words.")] = None,
    model: Annotated[str | None, typer.Option(help="Where the index's model lies, if not where it was.")] = None,
    at: At = None,
    paths: Paths = None,
    types: Types = None,
    since: Since = None,
    until: Until = None,
    metadata: MetadataPairs = None,
    where: WhereText = None,
    full: Annotated[bool, typer.Option("--full", help="Whole chunks instead of snippets.")] = False,
    files_only: Annotated[bool, typer.Option("-l", "--files-only", help="Only the paths, each once.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Score and rank at every stage.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Hits as a JSON array.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Hits as JSON, one a line.")] = False,
) -> None:
    """Ask an index a question. Results go to stdout, everything else to stderr; exit 1 when nothing was found."""
    from c2vsearch.retriever import Retriever

    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    config = SearchConfig(k=k, mode=cast(Mode, mode), rerank=rerank, candidates=candidates)
    retriever = Retriever(open_index(place, at), encoder=model)
    filter = asked_filter(paths, types, since, until, metadata, where)
    selection = retriever.select(filter) if filter is not None else None
    if selection is not None:
        messages().print(str(selection), style="dim")
    hits = retriever.search_with(text, config, instruction=_instruction(task, instruction), where=filter)
    if as_json:
        print_json([record(hit, explain=explain) for hit in hits])
    elif as_jsonl:
        for hit in hits:
            sys.stdout.write(json.dumps(record(hit, explain=explain), ensure_ascii=True) + "\n")
    elif files_only:
        for source in dict.fromkeys(hit.source for hit in hits):
            sys.stdout.write(_path(source) + "\n")
    else:
        _show(hits, full=full, explain=explain)
        _show_search(retriever.collection, explain=explain and mode != "bm25")
    if selection is not None and not selection.matching:
        raise typer.Exit(1)
    if not hits:
        messages().print(_nothing(retriever.collection.manifest.counts.get("chunks", 0), mode), style="dim")
        raise typer.Exit(1)


def _show_search(collection: Collection, *, explain: bool) -> None:
    """How well vectors are searched, for who wants to know."""
    from c2vsearch.collection.manifest import searched

    for line in searched(collection.manifest) if explain else ():
        messages().print(f"searched: {line}", style="dim")


def record(hit: Hit, *, explain: bool) -> dict[str, Any]:
    """A hit as JSON. Keys and their order are stable."""
    fields = {
        "rank": hit.rank, "score": round(hit.score, 6), "id": hit.id, "path": _path(hit.source),
        "start_line": hit.start_line, "end_line": hit.end_line, "page": hit.page,
        "heading_path": list(hit.heading_path), "title": hit.title, "start": hit.start, "end": hit.end,
        "text": hit.text, "highlight": list(hit.highlight) if hit.highlight else None,
        "member": hit.member, "kind": hit.kind,
        "metadata": {key: json_value(value) for key, value in sorted(hit.metadata.items())},
    }  # fmt: skip
    return {**fields, "stages": [dataclasses.asdict(stage) for stage in hit.stages]} if explain else fields


def _instruction(task: str | None, instruction: str | None) -> str | None:
    if task is not None and instruction is not None:
        raise InvalidConfig("--task and --instruction were both given; expected one of them")
    if task is not None and task not in TASKS:
        raise InvalidConfig(
            f"--task is {task!r}; expected one of {', '.join(TASKS)} (or your own words: --instruction)"
        )
    return TASKS[task] if task is not None else instruction


def _path(source: str) -> str:
    """A path as bytes on the disk spell it where stdout is not a terminal, made safe to look at where it is."""
    return (
        visible_line(source)
        if sys.stdout.isatty()
        else source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def _show(hits: list[Hit], *, full: bool, explain: bool) -> None:
    from rich.text import Text

    console = results()
    for hit in hits:
        place = f"{visible_line(path_of(hit.source, hit.member))}, page {hit.page}" if hit.page else _lines(hit)
        header = Text(f"{hit.rank:>2}  {hit.score:.3f}  ").append(place, style="bold cyan")
        if hit.heading_path:
            header.append("  " + visible_line(" > ".join(hit.heading_path)), style="dim")
        console.print(header)
        if explain:
            stages = " · ".join(f"{stage.stage} {stage.score:.3f} #{stage.rank}" for stage in hit.stages)
            console.print(Text("    " + stages, style="dim"))
        body = _snippet(hit, full=full)
        for line in body.split("\n"):
            line.rstrip()
            console.print(Text("    ").append_text(line))
        console.print()


def _lines(hit: Hit) -> str:
    lines = str(hit.start_line) if hit.start_line == hit.end_line else f"{hit.start_line}-{hit.end_line}"
    return f"{visible_line(path_of(hit.source, hit.member))}:{lines}"


def _snippet(hit: Hit, *, full: bool) -> Text:
    """The text around its best sentence, which is set off."""
    from rich.text import Text

    start, end = hit.highlight or (0, 0)
    if full:
        first, last = 0, len(hit.text)
    else:
        last = min(
            len(hit.text), max(end, SNIPPET_CHARS if start < SNIPPET_CHARS // 2 else start + SNIPPET_CHARS * 2 // 3)
        )
        first = max(0, min(start, last - SNIPPET_CHARS))
        first, last = (
            _word_edge(hit.text, first, -1),
            _word_edge(hit.text, min(last, first + max(SNIPPET_CHARS, end - first)), 1),
        )
    start, end = max(start, first), min(max(end, first), last)
    parts = [(hit.text[first:start], ""), (hit.text[start:end], "bold"), (hit.text[end:last], "")]
    text = Text("… " if first > 0 else "")
    for part, style in parts:
        shown = visible(part) if full else " ".join(visible_line(word) for word in _squeezed(part))
        text.append(shown, style=style)
    return text.append(" …" if last < len(hit.text) else "")


def _squeezed(part: str) -> list[str]:
    """Words of a part, with empty words where it began or ended with a space, so that joining keeps the edges."""
    words = part.split()
    return ([""] if part[:1].isspace() else []) + words + ([""] if words and part[-1:].isspace() else [])


def _word_edge(text: str, place: int, step: int) -> int:
    """The nearest space from a place on, so that no word is cut; at most 30 characters away."""
    for distance in range(30):
        at = place + step * distance
        if at <= 0 or at >= len(text):
            return max(0, min(at, len(text)))
        if text[at].isspace():
            return at + 1 if step < 0 else at
    return place


def _nothing(chunks: int, mode: str) -> str:
    if chunks == 0:
        return "nothing found: the index is empty"
    if mode == "bm25":
        return "nothing found: no chunk has any of these words; without --mode bm25 the meaning is searched as well"
    return "nothing found"
