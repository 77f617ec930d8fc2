"""`--task` and `--instruction`: what a search is for, of an index by default and of a single query."""

from __future__ import annotations

from typing import Annotated

import typer

from c2vsearch.cli.console import messages
from c2vsearch.errors import InvalidConfig
from c2vsearch.task import TASKS, Task, named_task

_NAMES = ", ".join(f"{name} (both sides)" if task.symmetric else name for name, task in TASKS.items())

QueryTask = Annotated[
    str | None,
    typer.Option("--task", metavar="NAME", help=f"What the search is for; that of the index by default: {_NAMES}."),
]
QueryInstruction = Annotated[
    str | None, typer.Option("--instruction", metavar="TEXT", help="The same in your own words.")
]
IndexTask = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="NAME",
        help="What the index is searched for where a query says nothing else; recorded, '' forgets it. A task for both "
        f"sides instructs documents too: another one needs --rebuild. {_NAMES}.",
    ),
]  # fmt: skip
IndexInstruction = Annotated[
    str | None, typer.Option("--instruction", metavar="TEXT", help="The same in your own words, for queries alone.")
]


def asked_task(task: str | None, instruction: str | None) -> Task | None:
    """The task of either option; None where neither was given.

    Raises:
        InvalidConfig: Both were given, or there is no task of that name.
    """
    if task is not None and instruction is not None:
        raise InvalidConfig("--task and --instruction were both given; expected one of them")
    if instruction is not None:
        return Task("", instruction)
    if task is None:
        return None
    try:
        return named_task(task)
    except InvalidConfig:
        raise InvalidConfig(
            f"--task is {task!r}; expected one of {', '.join(TASKS)} (or your own words: --instruction)"
        ) from None


def task_of_index(task: str | None, instruction: str | None) -> Task | str | None:
    """The same for an index, which "" lets forget its task."""
    emptied = [given for given in (task, instruction) if given is not None]
    return "" if emptied == [""] else asked_task(task, instruction)


def told_instruction(asked: Task | None, recorded: Task | None) -> str | None:
    """The instruction of a query, None for that of the index. Says so where the documents have another one."""
    if asked is not None and recorded is not None and recorded.symmetric and asked.instruction != recorded.instruction:
        messages().print(
            f"the documents of this index are instructed as well, for the task {recorded.name or 'of its own'}; this "
            "query has another instruction, and scores mean less",
            style="dim",
        )
    return asked.instruction if asked is not None else None
