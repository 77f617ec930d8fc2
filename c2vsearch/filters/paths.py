"""Patterns of paths as in `.gitignore`, over paths as they are shown. An archive is a directory of what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from c2vsearch.errors import InvalidQuery


def path_spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    """What some patterns match together, in `as_directories`. When all begin with ``!`` they take out of everything.

    Raises:
        InvalidQuery: One of them is no pattern.

    >>> spec = path_spec(["docs/**", "!*.log"])
    >>> [spec.match_file(as_directories(path)) for path in ("docs/a.md", "docs/a.log", "docs/old.zip!/b.md", "a.md")]
    [True, False, True, False]
    """
    for pattern in patterns:
        if not pattern.strip() or pattern.startswith("#"):
            raise InvalidQuery(f"the pattern of paths is {pattern!r}; expected such as 'docs/**' or '*.md'")
    all_but = all(pattern.startswith("!") for pattern in patterns)
    lines = [pattern[:1] + as_directories(pattern[1:]) for pattern in patterns]
    try:
        return GitIgnoreSpec.from_lines(["**", *lines] if all_but else lines)
    except ValueError as error:
        raise InvalidQuery(f"{error}; expected patterns of paths such as 'docs/**' or '*.md'") from error


def as_directories(path: str) -> str:
    """A path with what lies in an archive below it.

    >>> as_directories("mail.zip!/2024/a.md")
    'mail.zip/2024/a.md'
    """
    return path.replace("!/", "/")
