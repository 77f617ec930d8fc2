"""What `c2vsearch train --adapt` shows: a model of one's own texts, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from c2vsearch.cli.console import messages, plain_table, print_json, results
from c2vsearch.cli.train import progress_line, quiet_libraries
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.training.adapt import AdaptConfig, Adapted
    from c2vsearch.training.config import TrainingConfig


def run_adapt(index: Path, out: Path, config: AdaptConfig, *, as_json: bool) -> bool:
    """Adapt, say what came of it on stdout, and give whether it is better."""
    from c2vsearch.training import train
    from c2vsearch.training.adapt import adapt, record, verdict

    def train_with_progress(training: TrainingConfig) -> Path:
        quiet_libraries()
        with progress_line(training.training.steps, quiet=as_json) as report:
            return train(training, report=report).folder

    messages(quiet=as_json).print(f"making pairs from {visible_line(str(index))} and measuring ...", style="dim")
    adapted = adapt(index, out, config=config, train=train_with_progress)
    if as_json:
        print_json(record(adapted))
        return adapted.gain.better
    results().print(_table(adapted))
    console = messages()
    console.print(
        f"{adapted.questions} questions from {adapted.documents} held-out documents; {adapted.pairs} pairs trained on, "
        f"{adapted.dropped} left out as copies",
        style="dim",
    )
    console.print(verdict(adapted), style="bold")
    if adapted.gain.better:
        console.print(f"Next: c2vsearch index DIR --model {visible_line(str(adapted.folder))} --rebuild")
    return adapted.gain.better


def _table(adapted: Adapted) -> object:
    table = plain_table("", "nDCG@10", "R@1", "R@10", right=("nDCG@10", "R@1", "R@10"))
    for name, ranks in (("before", adapted.before), ("after", adapted.after)):
        table.add_row(name, f"{ranks.ndcg(10):.4f}", f"{ranks.recall(1):.4f}", f"{ranks.recall(10):.4f}")
    return table
