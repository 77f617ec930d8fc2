"""Metadata that lies beside the files: a table of paths and values, joined to the documents by path."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from c2vsearch.errors import InvalidConfig
from c2vsearch.records import Metadata, Value

PATH_COLUMN = "path"


def read_annotations(file: Path) -> dict[str, Metadata]:
    r"""What a CSV, TSV or JSON lines file says of each path; its column ``path`` is relative to the indexed directory.

    Cells of a CSV are read as the number, truth value or ISO date they spell, otherwise as text; empty ones say
    nothing.

    Raises:
        InvalidConfig: The file cannot be read, has no column ``path``, or says a path twice; with the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "m.csv").write_text("path,team,year\na.md,rescue,2024\n")
    ...     read_annotations(Path(place, "m.csv"))
    {'a.md': {'team': 'rescue', 'year': 2024}}
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"--metadata {file} cannot be read: {error}; expected a CSV or JSON lines file") from error
    rows = _json_rows(text, file) if file.suffix.lower() in {".jsonl", ".ndjson"} else _csv_rows(text, file)
    found: dict[str, Metadata] = {}
    for line, row in rows:
        path = row.pop(PATH_COLUMN, None)
        if not isinstance(path, str) or not path:
            raise InvalidConfig(f"{file}, line {line}: no {PATH_COLUMN!r}; expected the path of a file in each row")
        name = path.removeprefix("./").replace("\\", "/")
        if name in found:
            raise InvalidConfig(f"{file}, line {line}: {path!r} was already there; expected each path once")
        found[name] = {key: value for key, value in row.items() if value is not None}
    return found


def _csv_rows(text: str, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if PATH_COLUMN not in (reader.fieldnames or ()):
        columns = ", ".join(reader.fieldnames or ()) or "no columns"
        raise InvalidConfig(f"{file} has {columns}; expected a column {PATH_COLUMN!r}")
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InvalidConfig(f"{file}, line {reader.line_num}: a row of another length than the header")
            yield reader.line_num, {k: v if k == PATH_COLUMN else parse_value(v) for k, v in row.items()}
    except csv.Error as error:
        raise InvalidConfig(f"{file}, line {reader.line_num}: {error}") from error


def _json_rows(text: str, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidConfig(f"{file}, line {number}: {error}; expected a JSON object") from error
        if not isinstance(row, Mapping):
            raise InvalidConfig(f"{file}, line {number}: {line[:40]!r}; expected a JSON object")
        yield number, {key: as_value(value) for key, value in row.items()}


def parse_value(text: str) -> Value | None:
    """What a cell spells; None for an empty one.

    >>> parse_value("007"), parse_value("7"), parse_value("true"), parse_value("2024-05-01").year, parse_value(" ")
    ('007', 7, True, 2024, None)
    """
    text = text.strip()
    if not text:
        return None
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    plain = text.removeprefix("-")
    if plain.isascii() and plain.isdigit() and (plain == "0" or plain[0] != "0") and len(plain) <= 18:
        return int(text)
    fraction = _fraction(text)
    return fraction if fraction is not None else _time(text) or text


def as_value(value: object) -> Value | None:
    """A JSON value as metadata: what is no number, text or list of texts is kept as JSON text.

    >>> as_value(["a", 1]), as_value({"a": 1}), as_value(None)
    (('a', '1'), '{"a": 1}', None)
    """
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 2**63 else str(value)
    if isinstance(value, str):
        return _time(value) or value
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _fraction(text: str) -> float | None:
    # Only what is written as a fraction: "1e5", "nan" and "infinity" are texts to people.
    whole, point, rest = text.removeprefix("-").partition(".")
    return float(text) if point and whole.isdigit() and rest.isdigit() else None


def _time(text: str) -> datetime.datetime | None:
    """An ISO date or time; one without a zone is taken as UTC."""
    if len(text) < 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time.astimezone(datetime.UTC)
