"""`c2vsearch query`: ask an index."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from c2vsearch.cli.console import messages, print_json
from c2vsearch.cli.filters import MetadataPairs, Paths, Since, Types, Until, WhereText, asked_filter
from c2vsearch.cli.find_index import At, Device, Place, open_index
from c2vsearch.cli.hits import place_of, record, show_hits, shown_path
from c2vsearch.cli.rerank import RerankerOption, RerankOption, asked_rerank
from c2vsearch.config import FUSIONS, HITS_OF_A_FILE, TASKS, Fusion, GroupBy, SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Hit, Mode

if TYPE_CHECKING:
    from c2vsearch.collection import Collection

EXAMPLES = """Examples:

c2vsearch query "how do I renew the certificate"

c2vsearch query "where are sessions stored" --task code -k 5 --json | jq '.[0].path'

c2vsearch query "who is on call" --path 'docs/**' --type md --since 2026-01-01 -m team=ops

c2vsearch query "who is on call" --where "team = 'ops' and (year >= 2024 or tags contains 'urgent')"

c2vsearch query '"renewal date" certificate -draft'

c2vsearch query "how do I renew the certificate" --reranker BAAI/bge-reranker-base --rerank-budget-ms 500

c2vsearch query 'what does "-k" stand for'"""


def query(
    words: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help='The question, with "phrases" and -exclusions; - reads it from stdin.'),
    ],
    place: Place = None,
    k: Annotated[int, typer.Option("--top-k", "-k", "--limit", "-n", help="Hits to show.")] = SearchConfig.k,
    mode: Annotated[str, typer.Option(help="hybrid, dense or bm25.")] = SearchConfig.mode,
    rerank: RerankOption = None,
    reranker: RerankerOption = None,
    rerank_candidates: Annotated[
        int, typer.Option(metavar="N", help="Candidates that are looked at again, at most.")
    ] = SearchConfig.rerank_candidates,
    rerank_budget_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="As many of them as fit so many milliseconds, best first.")
    ] = None,
    candidates: Annotated[int, typer.Option(help="Chunks each leg contributes.")] = SearchConfig.candidates,
    group_by: Annotated[
        str, typer.Option(metavar="file", help="Hits of a file together; -k counts files then.")
    ] = SearchConfig.group_by,
    per_file: Annotated[
        int | None, typer.Option(help=f"Hits of one file, at most; {HITS_OF_A_FILE} with --group-by.")
    ] = None,
    diversity: Annotated[
        float, typer.Option(help="From 0 to 1: how much hits have to differ from those before them (MMR).")
    ] = SearchConfig.diversity,
    min_score: Annotated[
        float, typer.Option(help="Only hits of this relevance, from 0 to 1: the number each hit is shown with.")
    ] = SearchConfig.min_score,
    fusion: Annotated[
        str, typer.Option(help=f"How both legs become one list: {', '.join(FUSIONS)}.")
    ] = SearchConfig.fusion,
    task: Annotated[str | None, typer.Option(help=f"What the search is for: {', '.join(TASKS)}.")] = None,
    instruction: Annotated[str | None, typer.Option(help="The same in your own words.")] = None,
    model: Annotated[str | None, typer.Option(help="Where the index's model lies, if not where it was.")] = None,
    at: At = None,
    device: Device = "auto",
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
    config = SearchConfig(
        k=k, mode=cast(Mode, mode), rerank=asked_rerank(rerank, reranker), candidates=candidates, diversity=diversity,
        group_by=cast(GroupBy, group_by), per_source=per_file, min_score=min_score, fusion=cast(Fusion, fusion),
        rerank_candidates=rerank_candidates, rerank_budget_ms=rerank_budget_ms,
    )  # fmt: skip
    retriever = Retriever(open_index(place, at, device=device), encoder=model, reranker=reranker)
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
            sys.stdout.write(shown_path(source) + "\n")
    else:
        show_hits(hits, full=full, explain=explain, reranking=bool(config.rerank))
        _show_search(retriever.collection, explain=explain and mode != "bm25")
    if selection is not None and not selection.matching:
        raise typer.Exit(1)
    if not hits:
        below = min_score > 0 and retriever.search_with(
            text,
            dataclasses.replace(config, k=1, min_score=0.0),
            instruction=_instruction(task, instruction),
            where=filter,
        )
        chunks = retriever.collection.manifest.counts.get("chunks", 0)
        messages().print(_below(below[0], min_score) if below else _nothing(chunks, mode), style="dim")
        raise typer.Exit(1)


def _show_search(collection: Collection, *, explain: bool) -> None:
    """How well vectors are searched, for who wants to know."""
    from c2vsearch.collection.manifest import searched

    for line in searched(collection.manifest) if explain else ():
        messages().print(f"searched: {line}", style="dim")


def _instruction(task: str | None, instruction: str | None) -> str | None:
    if task is not None and instruction is not None:
        raise InvalidConfig("--task and --instruction were both given; expected one of them")
    if task is not None and task not in TASKS:
        raise InvalidConfig(
            f"--task is {task!r}; expected one of {', '.join(TASKS)} (or your own words: --instruction)"
        )
    return TASKS[task] if task is not None else instruction


def _below(hit: Hit, min_score: float) -> str:
    """What would have been shown with a lower threshold."""
    return f"nothing reaches --min-score {min_score:g}; the nearest is {place_of(hit)} with {hit.relevance or 0:.2f}"


def _nothing(chunks: int, mode: str) -> str:
    if chunks == 0:
        return "nothing found: the index is empty"
    if mode == "bm25":
        return "nothing found: no chunk has any of these words; without --mode bm25 the meaning is searched as well"
    return "nothing found"
