"""`c2vsearch bench`: what each kind of vector index would do for an index."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import duration, messages, plain_table, print_json, results, size
from c2vsearch.cli.find_index import Device, Place, open_index

if TYPE_CHECKING:
    from c2vsearch.evaluation.index_curves import Curve

EXAMPLES = """Examples:

c2vsearch bench --index indexes/mail --plot curves.png

c2vsearch bench --kind IVF256,SQ8 --kind HNSW32,SQ8 --rows 50000"""


def bench(
    place: Place = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="A FAISS factory string; repeatable. By default those that would be tried."),
    ] = None,
    rows: Annotated[int, typer.Option(help="Chunks to measure with, at most, drawn at random.")] = 100_000,
    target_recall: Annotated[float, typer.Option(help="The recall at which the table compares.")] = 0.98,
    device: Device = "cpu",
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw recall by milliseconds here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every point of every curve as JSON.")] = False,
) -> None:
    """Measure kinds of vector index on your own chunks: recall@10 of exact search, milliseconds, memory, build time.

    Nothing in the index changes. To use a kind: c2vsearch index --factory KIND; to have one chosen: --target-recall.
    """
    from c2vsearch.evaluation.index_curves import draw_curves, index_curves
    from c2vsearch.evaluation.plots import check_matplotlib
    from c2vsearch.index.gpu import usable_gpus
    from c2vsearch.retriever import Retriever

    if plot:
        check_matplotlib()
    collection, gpus = open_index(place, None), usable_gpus(device)
    encode = None if collection.manifest.questions else Retriever(collection).encoder.encode_queries
    curves = []
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as folder:
        for curve in index_curves(collection, Path(folder), encode=encode, rows=rows, names=kind or (), gpus=gpus):
            messages().print(f"{curve.name}: built in {duration(curve.build_seconds)}", style="dim")
            curves.append(curve)
    if not kind and len(curves) == 1:
        messages().print("So few chunks are searched exactly, and no other kind is tried.", style="dim")
    if plot:
        draw_curves(plot, curves, title=f"{collection.root.name}, {min(rows, collection.stats().chunks):,} chunks")
    if as_json:
        print_json([dataclasses.asdict(curve) for curve in curves])
    else:
        results().print(_table(curves, target_recall))


def _table(curves: list[Curve], target: float) -> Any:
    """One line a kind, at the recall that is wanted; at its best where it does not get there."""
    columns = ("kind", "recall@10", "ms", "memory", "build", "effort", "compared")
    table = plain_table(*columns, right=columns[1:])
    for curve in curves:
        point = curve.at(target) or curve.points[-1]
        table.add_row(
            curve.name, f"{point.recall:.3f}", f"{point.latency_ms:.2f}", size(curve.size_bytes),
            duration(curve.build_seconds), str(point.setting.effort or "all"), str(point.setting.depth),
        )  # fmt: skip
    return table
