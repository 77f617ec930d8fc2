"""`c2vsearch train`: train a model from a configuration, or adapt one to an index."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import messages, results
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.errors import InvalidConfig
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.training import Trained, TrainingConfig
    from c2vsearch.training.trainer import Progress, Report

EXAMPLES = """Examples:

c2vsearch train recipes/e5-qwen3-0.6b.toml --out runs/qwen3

c2vsearch train recipes/c2v-mini.toml --set training.steps=200 --set data.files='["pairs.jsonl"]'

c2vsearch train recipes/e5-qwen3-0.6b.toml --out runs/qwen3 --resume

accelerate launch -m c2vsearch train recipes/e5-mistral-7b.toml

c2vsearch train --adapt indexes/handbook --out runs/handbook"""


def train(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG.toml]", help="What to train, on what, how.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run, in place of training.output.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Another value; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the run.")] = False,
    adapt: Annotated[
        Path | None, typer.Option(metavar="INDEX", help="Instead of a configuration: adapt --model to this index.")
    ] = None,
    model: Annotated[str, typer.Option(help="With --adapt: the model to start from.")] = DEFAULT_MODEL,
    held_out: Annotated[float, typer.Option(help="With --adapt: the share of documents to measure with.")] = 0.1,
    seed: Annotated[int, typer.Option(help="With --adapt: of the split and the training.")] = 0,
    max_steps: Annotated[int, typer.Option(help="With --adapt: steps at most.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="With --adapt: the outcome as JSON.")] = False,
) -> None:
    """Train a Causal2Vec model on pairs of texts.

    The run's folder gets checkpoints, log.jsonl, curves, and at the end model/, which every verb takes as --model.

    With --adapt the pairs are made from an index, and the model is measured on documents held out before and after;
    the exit code is 1 when it is not shown to be better.
    """
    if adapt is not None:
        if config is not None or settings or resume or out is None:
            raise InvalidConfig("--adapt INDEX needs --out DIR, and takes no configuration, --set or --resume")
        from c2vsearch.cli.adapt import run_adapt
        from c2vsearch.training.adapt import AdaptConfig

        how = AdaptConfig(model=model, held_out=held_out, seed=seed, max_steps=max_steps)
        raise typer.Exit(0 if run_adapt(adapt, out, how, as_json=as_json) else 1)
    if config is None:
        raise InvalidConfig("nothing to train; expected a CONFIG.toml (see recipes/), or --adapt INDEX")
    from c2vsearch.training import read_config

    run = read_config(config, settings=settings or ())
    if out is not None:
        run = dataclasses.replace(run, training=dataclasses.replace(run.training, output=str(out)))
    run_training(run, resume=resume)


def run_training(config: TrainingConfig, *, resume: bool) -> Trained:
    """Train with a line of progress, and say where the model is."""
    from c2vsearch.training import train as run
    from c2vsearch.training.train import check_packages

    check_packages()
    quiet_libraries()
    first = os.environ.get("RANK", "0") == "0"
    with progress_line(config.training.steps, quiet=not first) as report:
        trained = run(config, resume=resume, report=report)
    if first:
        pairs = ", ".join(f"{visible_line(name)} {count}" for name, count in trained.pairs.items())
        messages().print(f"{trained.steps} steps on {pairs}", style="dim")
        results().print(visible_line(str(trained.folder)))
    return trained


def quiet_libraries() -> None:
    """The line of progress is ours: no bars of other packages."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


@contextmanager
def progress_line(steps: int, *, quiet: bool) -> Iterator[Report]:
    """One line on stderr: bar, step, time left, loss, learning rate, quality on held-out pairs."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Line(*columns, console=messages(quiet=quiet)) as line:
        task = line.add_task("starting", total=steps)

        def report(progress: Progress) -> None:
            line.update(task, completed=progress.step, description=summary(progress.values))

        yield report


def summary(values: Any) -> str:
    """The numbers worth watching.

    >>> summary({"loss": 1.23456, "learning_rate": 0.0002, "mrr@10": 0.5, "grad_norm": 3.0})
    'loss 1.235  lr 2.0e-04  mrr@10 0.500'
    """
    shown = []
    if "loss" in values:
        shown.append(f"loss {values['loss']:.3f}")
    if "learning_rate" in values:
        shown.append(f"lr {values['learning_rate']:.1e}")
    if "mrr@10" in values:
        shown.append(f"mrr@10 {values['mrr@10']:.3f}")
    return "  ".join(shown)
