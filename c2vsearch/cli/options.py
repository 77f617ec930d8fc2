"""What is typed on the command line, as settings have it."""

from __future__ import annotations

import re
from typing import Any

from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import InvalidConfig

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)


def given(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line; the index has the others."""
    return {name: value for name, value in options.items() if value is not None}


def names(text: str | None) -> tuple[str, ...] | None:
    """Names with commas between."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def globs(globs: list[str] | None) -> tuple[str, ...] | None:
    """Globs; an empty one forgets those that are recorded."""
    return tuple(filter(None, globs)) if globs else None


def chunk_sizes(max_tokens: int | None, overlap_tokens: int | None) -> ChunkingConfig | None:
    """What was asked for; None leaves the sizes to the model."""
    if max_tokens is None and overlap_tokens is None:
        return None
    size = ChunkingConfig.max_tokens if max_tokens is None else max_tokens
    return ChunkingConfig.sized(size, overlap_tokens=overlap_tokens)


def size_of(text: str | None, option: str) -> int | None:
    """Bytes of a size, where there is one."""
    return None if text is None else parse_size(text, option=option)


def parse_size(text: str, *, option: str) -> int:
    """Bytes of a size as people write it.

    >>> parse_size("20MB", option="--size"), parse_size("1.5k", option="--size")
    (20000000, 1500)
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise InvalidConfig(f"{option} is {text!r}; expected a number of bytes, or one with kB, MB or GB")
    return int(float(match.group(1)) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match.group(2).lower()])
