"""Many queries from a file, searched together: `c2vsearch query --queries FILE`. TREC run lines or JSON lines out."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import typer

from c2vsearch.cli.console import messages
from c2vsearch.cli.hits import record
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidConfig, InvalidQuery, SourceNotFound
from c2vsearch.records import Hit, path_of
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.filters import Filter
    from c2vsearch.retriever import Retriever

AT_ONCE = 64  # queries encoded together; so many are in memory at a time
NAMED = 20  # lines that are left out, and queries that find nothing, named one by one
RunOf = Literal["file", "chunk"]
Layout = Literal["json", "tsv", "plain"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a file: its id, and its words."""

    id: str
    text: str


@dataclass(slots=True)
class QueryFile:
    """The queries of a file, one after the other, and why some of its lines gave none.

    Args:
        name: What the file is called.
        lines: Its lines, as bytes: one that is no UTF-8 costs itself alone.
    """

    name: str
    lines: Iterable[bytes]
    broken: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Asked]:
        layout, seen = _layout_by_name(self.name), set[str]()
        for number, line in enumerate(self.lines, start=1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not line.strip():
                continue
            layout = layout or _layout_by_look(line)
            try:
                asked = _asked(line, layout, number)
                if asked.id in seen:
                    raise ValueError(f"the id {asked.id!r} was there before")
            except (ValueError, RecursionError, InvalidQuery) as error:
                self.broken.append(f"{self.name} line {number}: {error}")
                continue
            seen.add(asked.id)
            yield asked


def answer(
    retriever: Retriever, source: str, config: SearchConfig, *, instruction: str | None, where: Filter | None,
    run_of: RunOf | None, explain: bool,
) -> None:  # fmt: skip
    """Search every query of a file and write what was found to stdout.

    Args:
        retriever: The index.
        source: A path, or "-" for stdin.
        config: How each is searched.
        instruction: What the searches are for.
        where: Which chunks may be given.
        run_of: What the documents of a TREC run are; None for JSON lines of hits.
        explain: With the scores of every stage, in JSON.

    Raises:
        SourceNotFound: There is no such file.
        InvalidQuery: It has no queries at all.
        typer.Exit: With 1, when a line was left out or nothing was found for any query.
    """
    with _opened(source) as lines:
        queries = QueryFile("stdin" if source == "-" else source, lines)
        asked, without = 0, list[str]()
        for part in _parts(queries):
            found = retriever.search_batch_with(
                [query.text for query in part], _settings(config, run_of), instruction=instruction, where=where,
                highlight=run_of is None,
            )  # fmt: skip
            for query, hits in zip(part, found, strict=True):
                asked += 1
                without += [] if hits else [query.id]
                _write(query, hits, config, run_of, explain=explain)
    if not asked and not queries.broken:
        raise InvalidQuery(f"{visible_line(queries.name)} has no queries; expected one a line")
    _tell(asked, without, queries.broken)
    if queries.broken or len(without) == asked:
        raise typer.Exit(1)


def check_run(config: SearchConfig) -> None:
    """Refuse what a TREC run cannot say: whoever reads one puts documents in the order of their scores.

    Raises:
        InvalidConfig: Hits are in another order.
    """
    if config.group_by or config.diversity:
        raise InvalidConfig(
            "--group-by and --diversity put hits in another order than that of their scores, which a TREC run cannot "
            "say; write --jsonl, or leave them out"
        )


def _settings(config: SearchConfig, run_of: RunOf | None) -> SearchConfig:
    """Of files the run has as many as were asked for, as far as the candidates go; one that repeats another counts."""
    if run_of != "file":
        return config
    return dataclasses.replace(config, k=max(config.k, config.candidates), collapse=False)


def _write(query: Asked, hits: Sequence[Hit], config: SearchConfig, run_of: RunOf | None, *, explain: bool) -> None:
    if run_of is None:
        for hit in hits:
            fields = {"query": query.id, **record(hit, explain=explain)}
            sys.stdout.write(json.dumps(fields, ensure_ascii=True) + "\n")
        return
    from c2vsearch.evaluation.runs import run_line

    scores: dict[str, float] = {}
    for hit in hits:  # best first
        scores.setdefault(hit.id if run_of == "chunk" else path_of(hit.source, hit.member), hit.score)
    tag = f"c2vsearch.{config.mode}" + (".rerank" if config.rerank in (True, "auto") else "")
    for rank, (document, score) in enumerate(list(scores.items())[: config.k], start=1):
        sys.stdout.write(run_line(query.id, document, rank=rank, score=score, tag=tag) + "\n")


def _tell(asked: int, without: Sequence[str], broken: Sequence[str]) -> None:
    console = messages()
    for reason in broken[:NAMED]:
        console.print(visible_line(reason), style="yellow")
    if len(broken) > NAMED:
        console.print(f"and {len(broken) - NAMED} more like these", style="yellow")
    told = f"{asked} queries searched"
    if broken:
        told += f", {len(broken)} lines left out"
    if without:
        names = ", ".join(map(visible_line, without[:NAMED])) + (", ..." if len(without) > NAMED else "")
        told += f", nothing found for {len(without)}: {names}"
    console.print(told, style="dim")


def _opened(source: str) -> IO[bytes]:
    if source == "-":
        return sys.stdin.buffer
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise SourceNotFound(
            f"{source} cannot be read ({error.strerror}); expected a file of queries, one a line"
        ) from error


def _parts(queries: Iterable[Asked]) -> Iterator[list[Asked]]:
    part: list[Asked] = []
    for query in queries:
        part.append(query)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _layout_by_name(name: str) -> Layout | None:
    suffix = Path(name).suffix.lower()
    return "json" if suffix in (".jsonl", ".ndjson", ".json") else "tsv" if suffix == ".tsv" else None


def _layout_by_look(line: bytes) -> Layout:
    r"""What the first line looks like, where the name says nothing.

    >>> _layout_by_look(b'{"_id": "1"}'), _layout_by_look(b"1\twhat"), _layout_by_look(b"what")
    ('json', 'tsv', 'plain')
    """
    return "json" if line.lstrip().startswith(b"{") else "tsv" if b"\t" in line.strip() else "plain"


def _asked(line: bytes, layout: Layout, number: int) -> Asked:
    from c2vsearch.search.query import plain_query

    text = line.decode("utf-8").strip("\r\n")
    if layout == "json":
        row = json.loads(text)
        if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not _is_id(row.get("_id")):
            raise ValueError("expected an object with an _id and a text")
        asked = Asked(str(row["_id"]), row["text"])
    elif layout == "tsv":
        name, tab, words = text.partition("\t")
        if not tab or not name.strip():
            raise ValueError("expected an id, a tab and the query")
        asked = Asked(name.strip(), words)
    else:
        asked = Asked(str(number), text)
    plain_query(asked.text)
    return asked


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() != ""
