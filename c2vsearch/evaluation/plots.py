"""Pictures of an evaluation: PNG files, and one page that holds them and needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from c2vsearch.artifacts import write_bytes
from c2vsearch.evaluation.curves import DEPTHS, LengthBand, by_depth, by_length
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.evaluation.evaluate import Evaluation
from c2vsearch.evaluation.runs import prepare_folder
from c2vsearch.optional import require

BY_DEPTH, BY_LENGTH, PAGE = "by_k.png", "by_length.png", "report.html"
STYLES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D")
LONGEST_LABEL = 60
STYLE_SHEET = """body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
img{max-width:100%}table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}caption{text-align:left;color:#666}"""


def write_plots(
    folder: Path, evaluations: Sequence[Evaluation], questions: Questions, lengths: Mapping[str, int], *, title: str
) -> list[Path]:
    """Draw nDCG and recall by k and nDCG@10 by document length; write ``by_k.png``, ``by_length.png``, ``report.html``.

    Args:
        folder: Where they go.
        evaluations: What was found.
        questions: What had to be found.
        lengths: Characters of each document.
        title: What was measured.

    Raises:
        MissingDependency: ``matplotlib`` is not installed.
    """
    check_matplotlib()
    prepare_folder(folder)
    bands = {number: by_length(each, questions, lengths) for number, each in enumerate(evaluations)}
    pictures = {BY_DEPTH: _by_depth(evaluations, questions), BY_LENGTH: _by_length(evaluations, list(bands.values()))}
    for name, picture in pictures.items():
        write_bytes(folder / name, picture)
    page = _page(title, evaluations, list(bands.values()), pictures)
    write_bytes(folder / PAGE, page.encode("utf-8", "replace"))
    return [folder / name for name in (*pictures, PAGE)]


def check_matplotlib() -> None:
    """Say that it is missing before hours of work, not after."""
    require("matplotlib", extra="eval", purpose="drawing plots")


def _by_depth(evaluations: Sequence[Evaluation], questions: Questions) -> bytes:
    picture, axes = figure(2)
    for axis, measure, name in zip(axes, ("nDCG", "R"), ("nDCG@k", "Recall@k"), strict=True):
        for evaluation, look in zip(evaluations, _looks(evaluations), strict=True):
            values = by_depth(evaluation, questions, measure)
            axis.plot(DEPTHS, values, label=_label(evaluation), **look)
        axis.set(xlabel="k", ylabel=name, xlim=(DEPTHS[0], DEPTHS[-1]), ylim=(0, 1.02), xscale="log")
        axis.set_xticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
        axis.minorticks_off()
    return drawn(picture, axes[0])


def _by_length(evaluations: Sequence[Evaluation], bands: Sequence[Sequence[LengthBand]]) -> bytes:
    picture, [axis] = figure(1)
    for number, (evaluation, look) in enumerate(zip(evaluations, _looks(evaluations), strict=True)):
        mark = MARKS[number % len(MARKS)]
        means = [band.mean for band in bands[number]]
        axis.plot(range(len(means)), means, marker=mark, label=_label(evaluation), **look)
    # Documents are the same for all, so the bands are, too.
    names = [f"{band.shortest:,}\u2013{band.longest:,}\n{band.answers} answers" for band in bands[0]]
    axis.set_xticks(range(len(names)), labels=names)
    axis.set(xlabel="characters of the document that answers", ylabel="nDCG@10", ylim=(0, 1.02))
    return drawn(picture, axis)


def figure(count: int) -> tuple[Any, list[Any]]:
    """An empty figure with so many axes side by side."""
    # No pyplot: it keeps state and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(5.6 * count if count > 1 else 8, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(made)
    return made, list(made.subplots(1, count, squeeze=False)[0])


def drawn(figure: Any, axis: Any) -> bytes:
    """The figure as PNG, with the legend of one of its axes below."""
    for each in figure.axes:
        each.grid(visible=True, color="#dddddd", linewidth=0.6)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()
    legend = figure.legend(
        handles, labels, loc="outside lower center", ncols=1 if len(labels) > 4 else 2, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a $ in a file name is a $
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _looks(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """A colour for each model and a stroke for each mode; the other way round when there is one model."""
    models = list(dict.fromkeys(each.model for each in evaluations))
    modes = list(dict.fromkeys(each.mode for each in evaluations))
    looks = []
    for each in evaluations:
        model, mode = models.index(each.model), modes.index(each.mode)
        colour, stroke = (model, mode) if len(models) > 1 else (mode, model)
        looks.append({"color": f"C{colour % 10}", "linestyle": STYLES[stroke % len(STYLES)], "linewidth": 1.6})
    return looks


def _label(evaluation: Evaluation) -> str:
    # A label that starts with _ would be left out of a legend.
    text = " ".join(evaluation.label.encode("utf-8", "replace").decode("utf-8").split())
    return "\u200b" + (text if len(text) <= LONGEST_LABEL else f"\u2026{text[-LONGEST_LABEL:]}")


def _page(
    title: str, evaluations: Sequence[Evaluation], bands: Sequence[Sequence[LengthBand]], pictures: Mapping[str, bytes]
) -> str:
    names = list(evaluations[0].values)
    means = [
        [each.model, each.mode, *(f"{each.mean(name):.4f} [{low:.3f}, {high:.3f}]"
                                  for name in names for low, high in [each.interval(name)])]
        for each in evaluations
    ]  # fmt: skip
    spans = [f"{band.shortest:,}\u2013{band.longest:,} characters, {band.answers} answers" for band in bands[0]]
    lengths = [
        [each.model, each.mode, *(f"{band.mean:.4f}" for band in found)]
        for each, found in zip(evaluations, bands, strict=True)
    ]
    images = [
        f'<p><img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        for name, data in pictures.items()
    ]
    note = f"{len(evaluations[0].queries)} queries; intervals hold 95 % of bootstrap means"
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
            f"<style>{STYLE_SHEET}</style><h1>{escape(title)}</h1>",
            _table(["model", "mode", *names], means, note),
            "<h2>By k</h2>",
            images[0],
            "<h2>By length of the document that answers</h2>",
            images[1],
            _table(["model", "mode", *spans], lengths, "nDCG@10"),
            "</html>\n",
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    top = "".join(f"<th>{escape(cell)}" for cell in head)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{top}\n{body}</table>"
