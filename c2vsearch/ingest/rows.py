"""Rows of a table under their header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from c2vsearch.ingest.text import fit


def named(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """A row by its header; cells beyond it are named by their place, and none is lost to a name that comes twice.

    >>> named(["port", "port"], ["Quayle", "Wrack", "9"])
    {'port': 'Quayle', 'port (2)': 'Wrack', 'column 3': '9'}
    """
    fields: dict[str, str] = {}
    for number, value in enumerate(row):
        name = header[number].strip() if number < len(header) else ""
        name = name or f"column {number + 1}"
        fields[name if name not in fields else f"{name} ({number + 1})"] = value
    return fields


def told(header: Sequence[str], row: Sequence[str]) -> str:
    """A row for people and for the encoder, each cell with its name.

    >>> told(["port", "fee"], ["Quayle", ""])
    'port: Quayle'
    """
    cells = ((name, " ".join(value.split())) for name, value in named(header, row).items())
    return fit(" | ".join(f"{name}: {value}" for name, value in cells if value))


def grid(rows: Iterable[Iterable[str]]) -> str:
    r"""A small table as lines of cells; empty rows are left out.

    >>> grid([["Port", "Fee"], ["", ""], ["Old\nharbour", "9"]])
    'Port | Fee\nOld harbour | 9'
    """
    lines = ([" ".join(cell.split()) for cell in row] for row in rows)
    return "\n".join(" | ".join(cells) for cells in lines if any(cells))
