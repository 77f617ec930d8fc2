"""Hits on the screen and as JSON."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from c2vsearch.cli.console import json_value, results
from c2vsearch.cli.links import link
from c2vsearch.records import Hit, Location, path_of
from c2vsearch.terminal import visible, visible_line

if TYPE_CHECKING:
    from rich.text import Text

    from c2vsearch.rag.surroundings import Surrounding

SNIPPET_CHARS = 320


def record(hit: Hit, *, explain: bool, around: Surrounding | None = None) -> dict[str, Any]:
    """A hit as JSON. Keys and their order are stable; ``context`` and ``stages`` are there where asked for."""
    fields = {
        "rank": hit.rank, "score": round(hit.score, 6),
        "relevance": None if hit.relevance is None else round(hit.relevance, 4),
        "id": hit.id, "path": shown_path(hit.source),
        "start_line": hit.start_line, "end_line": hit.end_line, "page": hit.page,
        "heading_path": list(hit.heading_path), "title": hit.title, "start": hit.start, "end": hit.end,
        "text": hit.text, "highlight": list(hit.highlight) if hit.highlight else None,
        "member": hit.member, "kind": hit.kind,
        "metadata": {key: json_value(value) for key, value in sorted(hit.metadata.items())},
        "repeats": [_location(place) for place in hit.repeats],
    }  # fmt: skip
    if around is not None:
        fields["context"] = {
            "start": around.place.start, "end": around.place.end, "start_line": around.place.start_line,
            "end_line": around.place.end_line, "page": around.place.page, "last_page": around.place.last_page,
            "text": around.text,
        }  # fmt: skip
    return {**fields, "stages": [dataclasses.asdict(stage) for stage in hit.stages]} if explain else fields


def _location(place: Location) -> dict[str, Any]:
    return {
        "path": shown_path(place.source), "member": place.member, "start_line": place.start_line,
        "end_line": place.end_line, "page": place.page,
    }  # fmt: skip


def shown_path(source: str) -> str:
    """A path as bytes on the disk spell it where stdout is not a terminal, made safe to look at where it is."""
    return (
        visible_line(source)
        if sys.stdout.isatty()
        else source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def show_hits(
    hits: Sequence[Hit], *, full: bool, explain: bool, around: Sequence[Surrounding] = (), links: str = "",
    reranking: bool = False,
) -> None:  # fmt: skip
    """Each hit with its place, its headings, and the text around its best sentence.

    Args:
        hits: In their order.
        full: Whole chunks.
        explain: With the scores of every stage.
        around: What is shown instead of each hit's own text.
        links: The format of links to the files.
        reranking: Say where the second look took each hit.
    """
    from rich.style import Style
    from rich.text import Text

    console = results()
    for number, hit in enumerate(hits):
        style = Style.parse("bold cyan") + Style(link=link(hit, links) or None)
        shown = f"{hit.score:.3f}" if hit.relevance is None else f"{hit.relevance:.2f}"
        header = Text(f"{hit.rank:>2}  {shown}  ").append(place_of(hit), style=style)
        if reranking:
            header.append(f"  {_moved(hit)}", style="dim")
        if hit.heading_path:
            header.append("  " + visible_line(" > ".join(hit.heading_path)), style="dim")
        console.print(header)
        if hit.repeats:
            console.print(Text(f"    {_repeats(hit.repeats)}", style="dim"))
        if explain:
            stages = " · ".join(f"{stage.stage} {stage.score:.3f} #{stage.rank}" for stage in hit.stages)
            console.print(Text("    " + stages, style="dim"))
        body = _snippet(_widened(hit, around[number]), full=True) if around else _snippet(hit, full=full)
        for line in body.split("\n"):
            line.rstrip()
            console.print(Text("    ").append_text(line))
        console.print()


def _widened(hit: Hit, around: Surrounding) -> Hit:
    """The hit with the text around it as its text."""
    moved = hit.start - around.place.start
    highlight = (hit.highlight[0] + moved, hit.highlight[1] + moved) if hit.highlight else None
    return dataclasses.replace(hit, text=around.text, highlight=highlight)


def _moved(hit: Hit) -> str:
    """Where the second look took a hit: its rank before and after, repetitions counted.

    >>> from c2vsearch.records import StageScore
    >>> stages = (StageScore("bm25", 9.0, 2), StageScore("fused", 0.7, 3), StageScore("rerank", 1.9, 1))
    >>> hit = Hit(1, 1.9, "", "a.md", "", 0, 0, 1, 1, stages=stages)
    >>> _moved(hit), _moved(dataclasses.replace(hit, stages=stages[:2]))
    ('3 -> 1', 'not reranked')
    """
    if len(hit.stages) < 2 or hit.stages[-1].stage != "rerank":
        return "not reranked"
    return f"{hit.stages[-2].rank} -> {hit.stages[-1].rank}"


def _repeats(places: Sequence[Location]) -> str:
    """Where the same text stands as well: the first place, and how many more.

    >>> _repeats([Location("b.md", "", 3, 9), Location("c.md", "", 1, 1)])
    'also in b.md:3-9 and 1 more'
    """
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"also in {place_of(places[0])}{more}"


def place_of(hit: Hit | Location) -> str:
    """Path and page, or path and lines, safe to show."""
    path = visible_line(path_of(hit.source, hit.member))
    if hit.page:
        return f"{path}, page {hit.page}"
    return f"{path}:{hit.start_line}" + (f"-{hit.end_line}" if hit.end_line != hit.start_line else "")


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
