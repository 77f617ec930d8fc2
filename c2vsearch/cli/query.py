"""`c2vsearch query`: ask an index."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import typer

from c2vsearch.cli.batch import RunOf, answer, check_run
from c2vsearch.cli.console import messages, print_json
from c2vsearch.cli.filters import MetadataPairs, Paths, Since, Types, Until, WhereText, asked_filter
from c2vsearch.cli.find_index import At, Device, Place, open_index
from c2vsearch.cli.hits import place_of, record, show_hits, shown_path
from c2vsearch.cli.like import asked_example
from c2vsearch.cli.links import link_format
from c2vsearch.cli.rerank import RerankerOption, RerankOption, asked_rerank
from c2vsearch.cli.task import QueryInstruction, QueryTask, asked_task, told_instruction
from c2vsearch.config import FUSIONS, HITS_OF_A_FILE, Fusion, GroupBy, Highlight, SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Hit, Mode

if TYPE_CHECKING:
    from c2vsearch.collection import Collection
    from c2vsearch.rag.surroundings import Surrounding
    from c2vsearch.retriever import Retriever

EXAMPLES = """Examples:

c2vsearch query "how do I renew the certificate"

c2vsearch query "where are sessions stored" --task code -k 5 --json | jq '.[0].path'

c2vsearch query "who is on call" --path 'docs/**' --type md --since 2026-01-01 -m team=ops

c2vsearch query "who is on call" --where "team = 'ops' and (year >= 2024 or tags contains 'urgent')"

c2vsearch query '"renewal date" certificate -draft'

c2vsearch query "how do I renew the certificate" --reranker BAAI/bge-reranker-base --rerank-budget-ms 500

c2vsearch query "who mends the lift" --also "elevator repair" --also "maintenance contract"

c2vsearch query --like docs/renewal.md:12

c2vsearch query --queries queries.tsv -k 100 > handbook.run

c2vsearch query 'what does "-k" stand for'"""


def query(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help='The question, with "phrases" and -exclusions; - reads it from stdin.'),
    ] = None,
    place: Place = None,
    k: Annotated[int, typer.Option("--top-k", "-k", "--limit", "-n", help="Hits to show.")] = SearchConfig.k,
    mode: Annotated[str, typer.Option(help="hybrid, dense or bm25.")] = SearchConfig.mode,
    rerank: RerankOption = None,
    reranker: RerankerOption = None,
    rerank_candidates: Annotated[
        int | None,
        typer.Option(metavar="N", help="Candidates that are looked at again, at most: 50 by token codes, else 20."),
    ] = None,
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
    task: QueryTask = None,
    instruction: QueryInstruction = None,
    model: Annotated[str | None, typer.Option(help="Where the index's model lies, if not where it was.")] = None,
    queries: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Many queries, one a line: JSON (_id, text), id TAB text, or text; - is stdin."
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="CHUNK|FILE", help="More like this: a chunk id, a file or FILE:LINE of the index, any file."
        ),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="The same question in other words; any number of times.")
    ] = None,
    run_of: Annotated[
        str | None, typer.Option(metavar="file|chunk", help="What a TREC run of --queries names; file by default.")
    ] = None,
    at: At = None,
    device: Device = "auto",
    paths: Paths = None,
    types: Types = None,
    since: Since = None,
    until: Until = None,
    metadata: MetadataPairs = None,
    where: WhereText = None,
    full: Annotated[bool, typer.Option("--full", help="Whole chunks instead of snippets.")] = False,
    context: Annotated[
        int | None, typer.Option(metavar="N", help="Whole chunks, with N more on either side of each hit.")
    ] = None,
    section: Annotated[
        bool, typer.Option("--section", help="The whole section under the heading of each hit.")
    ] = False,
    links: Annotated[
        str | None,
        typer.Option(
            envvar="C2VSEARCH_LINKS",
            metavar="NAME|FORMAT",
            help="Links to files in a terminal: file, kitty, vscode, vscodium, cursor, none, or a format.",
        ),
    ] = None,
    files_only: Annotated[bool, typer.Option("-l", "--files-only", help="Only the paths, each once.")] = False,
    highlight: Annotated[
        str | None,
        typer.Option(
            metavar="auto|states|stored|words",
            help="How the best sentence is found: by meaning (auto, states), by meaning and fast (stored), by words.",
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Score and rank at every stage.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Hits as a JSON array.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Hits as JSON, one a line.")] = False,
) -> None:
    """Ask an index a question. Results go to stdout, everything else to stderr; exit 1 when nothing was found."""
    from c2vsearch.retriever import Retriever

    shown = Shown(
        as_json, as_jsonl, files_only, full, explain, highlight, context, section, link_format(links),
        reranking=asked_rerank(rerank, reranker) in (True, "auto"),
    )  # fmt: skip
    _check_asked(words, queries, like, run_of, shown)
    _check_also(also, queries, like)
    config = SearchConfig(
        k=k, mode=cast(Mode, mode), rerank=asked_rerank(rerank, reranker), candidates=candidates, diversity=diversity,
        group_by=cast(GroupBy, group_by), per_source=per_file, min_score=min_score, fusion=cast(Fusion, fusion),
        rerank_candidates=rerank_candidates, rerank_budget_ms=rerank_budget_ms,
        highlight=cast(Highlight, highlight or ("words" if files_only else "auto")),
    )  # fmt: skip
    if queries is not None and not as_jsonl:
        check_run(config)
    asked = asked_task(task, instruction)
    retriever = Retriever(open_index(place, at, device=device), encoder=model, reranker=reranker)
    told = told_instruction(asked, retriever.collection.manifest.task if mode != "bm25" else None)
    filter = asked_filter(paths, types, since, until, metadata, where)
    selection = retriever.select(filter) if filter is not None else None
    if selection is not None:
        messages().print(str(selection), style="dim")
    if queries is not None:
        answer(
            retriever, queries, config, instruction=told, where=filter, explain=explain,
            run_of=None if as_jsonl else cast(RunOf, run_of or "file"),
        )  # fmt: skip
        return
    text = _text(words or [])
    example = asked_example(retriever, like) if like is not None else None

    def ask(config: SearchConfig) -> list[Hit]:
        if example is not None:
            return retriever.more_like_with(example, config, text=text, instruction=told, where=filter)
        if also:
            return retriever.search_any_with([text, *also], config, instruction=told, where=filter)
        return retriever.search_with(text, config, instruction=told, where=filter)

    hits = ask(config)
    _show(hits, shown, _around(retriever, hits, shown))
    if not shown.for_programs:
        _show_search(retriever.collection, explain=explain and mode != "bm25")
    if selection is not None and not selection.matching:
        raise typer.Exit(1)
    if not hits:
        below = min_score > 0 and ask(dataclasses.replace(config, k=1, min_score=0.0))
        chunks = retriever.collection.manifest.counts.get("chunks", 0)
        messages().print(_below(below[0], min_score) if below else _nothing(chunks, mode), style="dim")
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Shown:
    """How hits are to be shown."""

    as_json: bool
    as_jsonl: bool
    files_only: bool
    full: bool
    explain: bool
    highlight: str | None
    context: int | None
    section: bool
    links: str
    reranking: bool

    @property
    def for_programs(self) -> bool:
        """Whether nobody looks at the hits themselves."""
        return self.as_json or self.as_jsonl or self.files_only


def _check_asked(
    words: list[str] | None, queries: str | None, like: str | None, run_of: str | None, shown: Shown
) -> None:
    """Refuse what does not go together: no option is taken and then forgotten."""
    if sum((shown.context is not None, shown.section, shown.full)) > 1:
        raise InvalidConfig("of --full, --context and --section more than one was given; expected one of them")
    if shown.files_only and (shown.context is not None or shown.section or shown.full):
        raise InvalidConfig("-l shows paths alone; leave out --full, --context and --section")
    if queries is None:
        if words is None and like is None:
            raise InvalidConfig("nothing was asked; expected a question, --like, or --queries FILE")
        if run_of is not None:
            raise InvalidConfig("--run-of is about the run that --queries writes; expected --queries with it")
        return
    if words is not None or like is not None:
        other = "a question" if words is not None else "--like"
        raise InvalidConfig(f"{other} and --queries were both given; expected one of them")
    if shown.as_json or shown.files_only or shown.full or shown.context is not None or shown.section:
        raise InvalidConfig(
            "--queries writes a TREC run, or hits with --jsonl; leave out --json, -l, --full, --context and --section"
        )
    if (shown.explain or shown.highlight) and not shown.as_jsonl:
        raise InvalidConfig("a TREC run has no place for --explain and --highlight; write --jsonl with them")
    if run_of is not None and (shown.as_jsonl or run_of not in ("file", "chunk")):
        raise InvalidConfig(f"--run-of is {run_of!r}; expected file or chunk, without --jsonl, which has all of a hit")


def _check_also(also: list[str] | None, queries: str | None, like: str | None) -> None:
    if also and (queries is not None or like is not None):
        raise InvalidConfig("--also is another phrasing of a question; leave out --queries and --like")


def _text(words: list[str]) -> str:
    return sys.stdin.read() if words == ["-"] else " ".join(words)


def _around(retriever: Retriever, hits: list[Hit], shown: Shown) -> list[Surrounding]:
    """What is shown of each hit instead of its own text, if anything was asked for."""
    if shown.section:
        return retriever.sections(hits)
    return retriever.neighbourhoods(hits, neighbours=shown.context) if shown.context is not None else []


def _show(hits: list[Hit], shown: Shown, around: list[Surrounding]) -> None:
    records = (
        record(hit, explain=shown.explain, around=around[number] if around else None)
        for number, hit in enumerate(hits)
    )  # fmt: skip
    if shown.as_json:
        print_json(list(records))
    elif shown.as_jsonl:
        for fields in records:
            sys.stdout.write(json.dumps(fields, ensure_ascii=True) + "\n")
    elif shown.files_only:
        for source in dict.fromkeys(hit.source for hit in hits):
            sys.stdout.write(shown_path(source) + "\n")
    else:
        show_hits(
            hits, full=shown.full, explain=shown.explain, around=around, links=shown.links, reranking=shown.reranking
        )


def _show_search(collection: Collection, *, explain: bool) -> None:
    """How well vectors are searched, for who wants to know."""
    from c2vsearch.collection.manifest import searched

    for line in searched(collection.manifest) if explain else ():
        messages().print(f"searched: {line}", style="dim")


def _below(hit: Hit, min_score: float) -> str:
    """What would have been shown with a lower threshold."""
    return f"nothing reaches --min-score {min_score:g}; the nearest is {place_of(hit)} with {hit.relevance or 0:.2f}"


def _nothing(chunks: int, mode: str) -> str:
    if chunks == 0:
        return "nothing found: the index is empty"
    if mode == "bm25":
        return "nothing found: no chunk has any of these words; without --mode bm25 the meaning is searched as well"
    return "nothing found"
