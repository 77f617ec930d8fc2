"""The log of a run as a picture: ``curves.png``, and ``curves.html`` that needs nothing beside it."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c2vsearch.optional import require

# What shares a panel: numbers whose names begin so.
PANELS = {
    "loss": ("loss", "contrast", "distill", "context", "eos"),
    "held-out pairs": ("mrr@",),
    "gradient norm": ("grad_norm",),
    "learning rate": ("learning_rate",),
}


def draw_curves(log: Path, folder: Path) -> list[Path]:
    """Draw a run's log into a folder.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    figure = _figure(read_log(log))
    picture, page = folder / "curves.png", folder / "curves.html"
    figure.savefig(picture, dpi=120)
    drawing = io.StringIO()
    figure.savefig(drawing, format="svg", metadata={"Date": None})
    svg = drawing.getvalue()
    title = html.escape(folder.resolve().name)
    page.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>\n{svg[svg.index('<svg') :]}</body></html>\n",
        encoding="utf-8",
    )
    return [picture, page]


def read_log(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Each number of a log as points (step, value); what is not finite is left out."""
    points: dict[str, list[tuple[int, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        step = entry.pop("step")
        for name, value in entry.items():
            if isinstance(value, (int, float)) and abs(value) < float("inf"):
                points.setdefault(name, []).append((step, value))
    return points


def _figure(points: Mapping[str, list[tuple[int, float]]]) -> Any:
    figures = require("matplotlib.figure", extra="train", purpose="drawing the curves of a run")
    panels = {
        title: {name: points[name] for name in points if name.startswith(starts)} for title, starts in PANELS.items()
    }
    shown = {title: lines for title, lines in panels.items() if lines}
    figure = figures.Figure(figsize=(8, 3 * max(1, len(shown))), layout="constrained")
    for place, (title, lines) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(len(shown), 1, place)
        for name, line in lines.items():
            axes.plot(*zip(*line, strict=True), label=name, linewidth=1.2, marker="." if len(line) < 30 else None)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if len(lines) > 1:
            axes.legend(fontsize=8)
    return figure
