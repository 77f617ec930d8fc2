"""What stands above a text between two lines of marks: YAML, TOML or JSON about the text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from c2vsearch.ingest.properties import properties
from c2vsearch.records import LineMark, Value

_YAML = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_NEWLINE = re.compile("\r\n|\r|\n")
_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What was said above a text, and where the text begins."""

    said: Mapping[str, Value] = field(default_factory=dict)
    end: int = 0


def front_matter(text: str) -> FrontMatter:
    r"""The front matter of a text. One that is broken is text like the rest.

    >>> front_matter("---\ntitle: Ports\ntags: [ice]\n---\nText.\n")
    FrontMatter(said={'title': 'Ports', 'tags': ('ice',)}, end=33)
    """
    head = text[: _LARGEST + 8]
    try:
        if match := _YAML.match(head):
            return _found(_yaml(match.group(1)), match.end())
        if match := _TOML.match(head):
            return _found(tomllib.loads(match.group(1).replace("\r\n", "\n")), match.end())
        if head.startswith("{\n") or head.startswith("{\r\n"):
            said, end = json.JSONDecoder().raw_decode(head)
            return _found(said, end)
    except (ValueError, RecursionError, TypeError):  # of the three parsers, whose errors are ValueErrors
        pass
    return FrontMatter()


def line_marks(text: str, end: int) -> tuple[LineMark, ...]:
    r"""The lines in the file of what follows a front matter of ``end`` characters, by offsets of what follows.

    >>> line_marks("---\na: 1\n---\nText\nmore", 13)
    (LineMark(start=0, line=4), LineMark(start=5, line=5))
    """
    starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
    first = next((number for number, start in enumerate(starts) if start >= end), len(starts) - 1)
    above = () if starts[first] == end else (LineMark(0, first),)
    return (*above, *(LineMark(start - end, number) for number, start in enumerate(starts[first:], start=first + 1)))


def _yaml(block: str) -> Any:
    import yaml

    try:
        return yaml.load(block, Loader=_loader())  # noqa: S506  (a safe one)
    except yaml.YAMLError as error:
        raise ValueError("no YAML") from error


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _found(said: object, end: int) -> FrontMatter:
    if not isinstance(said, Mapping):
        return FrontMatter()
    return FrontMatter(properties((str(name), value) for name, value in said.items()), end)
