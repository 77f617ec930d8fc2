"""`c2vsearch distill`: a teacher's scores for pairs files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from c2vsearch.cli.console import messages, plain_table, print_json
from c2vsearch.cli.mine import show_progress
from c2vsearch.terminal import visible_line

EXAMPLES = """Examples:

c2vsearch distill mined.jsonl --out scored.jsonl --teacher c2v-mini+bm25:0.3"""


def distill(
    pairs: Annotated[list[Path], typer.Argument(metavar="PAIRS...", help="Pairs with negatives: .jsonl or .jsonl.xz.")],
    out: Annotated[Path, typer.Option(help="The file to write; compressed if it ends in .xz.")],
    teacher: Annotated[
        str, typer.Option(metavar="SPEC", help="MODEL, bm25, MODEL+bm25, or MODEL+bm25:SHARE with the share of BM25.")
    ],
    instruction: Annotated[str | None, typer.Option(help="What queries are encoded with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
) -> None:
    """Write what a teacher thinks of each line: a score for the positive and for each negative, to train on.

    An encoder gives cosines; with BM25 the scores of a line are scaled to lie from 0 to 1.
    """
    from c2vsearch.training.teachers import distill as run
    from c2vsearch.training.teachers import parse_teacher

    report = run(
        pairs, out, teacher=parse_teacher(teacher), instruction=instruction, on_progress=show_progress(quiet=as_json)
    )
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    console = messages()
    table = plain_table("lines", "", right=("lines",))
    table.add_row(str(report.scored), "scored")
    table.add_row(str(report.alone), "without negatives: one score")
    table.add_row(str(report.empty), "left out: no query or no positive")
    console.print(table)
    console.print(f"{report.scored + report.alone} of {report.lines} lines written to {visible_line(str(out))}")
