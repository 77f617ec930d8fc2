"""`c2vsearch mine`: hard negatives for pairs files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2vsearch.cli.console import messages, plain_table, print_json
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.training.mining import MiningConfig, MiningReport

EXAMPLES = """Examples:

c2vsearch mine pairs.jsonl.xz --out mined.jsonl.xz

c2vsearch mine a.jsonl b.jsonl --out mined.jsonl --bm25 --negatives 7 --check-leaks eval/scifact"""


def mine(
    pairs: Annotated[list[Path], typer.Argument(metavar="PAIRS...", help="Pairs: .jsonl or .jsonl.xz.")],
    out: Annotated[Path, typer.Option(help="The file to write; compressed if it ends in .xz.")],
    model: Annotated[str, typer.Option(help="The model that says what is near.")] = DEFAULT_MODEL,
    negatives: Annotated[int, typer.Option(help="Negatives a pair.")] = 4,
    skip: Annotated[int, typer.Option(help="Leave out the nearest so many, whatever their score.")] = 0,
    depth: Annotated[int, typer.Option(help="Ranks looked at, counted from the nearest.")] = 50,
    max_ratio: Annotated[
        float | None, typer.Option(help="A negative scores at most this share of the positive's score.")
    ] = 0.95,
    margin: Annotated[
        float | None, typer.Option(help="A negative scores at least this much less than the positive.")
    ] = None,
    same_group: Annotated[
        str,
        typer.Option(
            metavar="allow|exclude", help="Texts of the pair's own group, such as other sections of its page."
        ),
    ] = "allow",
    bm25: Annotated[bool, typer.Option("--bm25", help="Candidates by keywords as well.")] = False,
    pick: Annotated[str, typer.Option(metavar="top|random", help="Which of the texts that are left.")] = "top",
    seed: Annotated[int, typer.Option(help="Of --pick random.")] = 0,
    drop_few: Annotated[bool, typer.Option("--drop-few", help="Leave out lines that get fewer negatives.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Write the model's scores as well.")] = False,
    check_leaks: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Leave out lines that share text with this BEIR folder; repeatable."),
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What queries are encoded with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
) -> None:
    """Find hard negatives for each pair: texts of other pairs that are near its query and do not answer it.

    Texts that score almost as well as the pair's own positive are left alone: they are often answers nobody marked.
    """
    from c2vsearch.encoder import load_encoder
    from c2vsearch.training.leaks import EvaluationTexts
    from c2vsearch.training.mining import MiningConfig
    from c2vsearch.training.mining import mine as run

    config = MiningConfig(
        negatives=negatives, skip=skip, depth=depth, max_ratio=max_ratio, margin=margin,
        same_group=same_group, bm25=bm25, pick=pick, seed=seed,  # type: ignore[arg-type]
        drop_few=drop_few, scores=scores,
    )  # fmt: skip
    evaluation = EvaluationTexts.read(check_leaks) if check_leaks else None
    report = run(
        pairs, out, encoder=load_encoder(model), config=config, evaluation=evaluation, instruction=instruction,
        on_progress=show_progress(quiet=as_json),
    )  # fmt: skip
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        _summary(report, config, out)


def show_progress(*, quiet: bool) -> Callable[[str, int, int], None] | None:
    """A line now and then: every tenth of a stage."""
    if quiet:
        return None
    console = messages()
    shown: dict[str, int] = {}

    def show(stage: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if shown.get(stage) != tenth:
            shown[stage] = tenth
            console.print(f"{stage}: {done} of {total}", style="dim")

    return show


def _summary(report: MiningReport, config: MiningConfig, out: Path) -> None:
    console = messages()
    table = plain_table("lines", "", right=("lines",))
    table.add_row(str(report.mined), f"mined: {config.negatives} negatives")
    few = f"fewer than {config.negatives} negatives"
    table.add_row(str(report.few), f"left out: {few}" if config.drop_few else f"{few}, written with those")
    table.add_row(str(report.empty), "left out: no query or no positive")
    for reason, count in sorted(report.leaked.items()):
        table.add_row(str(count), f"left out: shares a {reason} with an evaluation set")
    console.print(table)
    console.print(
        f"{report.negatives} negatives from {report.texts} texts; refused: {report.too_near} too near the positive's "
        f"score, {report.same} the same text"
    )
    written = report.mined + (0 if config.drop_few else report.few)
    console.print(f"{written} of {report.lines} lines written to {visible_line(str(out))}")
