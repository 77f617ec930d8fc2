"""What the verbs share on the screen: consoles for results and for everything else, sizes, tables."""

from __future__ import annotations

import datetime
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from c2vsearch.records import Value


# Where no terminal is, nothing is folded: who reads it looks for whole lines.
PIPE_WIDTH = 10_000


def results() -> Console:
    """stdout, for results alone. Colours only on a terminal; markup off, because results quote documents."""
    from rich.console import Console

    wrapped = sys.stdout.isatty()
    width = None if wrapped else PIPE_WIDTH
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=not wrapped, width=width)


def messages(*, quiet: bool = False) -> Console:
    """stderr, for progress, hints and summaries."""
    from rich.console import Console

    wrapped = sys.stderr.isatty()
    return Console(stderr=True, markup=False, highlight=False, emoji=False, quiet=quiet, soft_wrap=not wrapped)


def print_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII: safe in every terminal and every locale."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def json_value(value: Value) -> object:
    """A value of metadata as JSON has it: times as ISO 8601."""
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table without ornament."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def size(count: float) -> str:
    """Bytes in a unit people read.

    >>> size(1_532_000)
    '1.5 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in a unit people read.

    >>> duration(3.21), duration(125)
    ('3.2 s', '2 min 5 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
