"""Options that say which chunks are searched."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from c2vsearch.errors import InvalidQuery

if TYPE_CHECKING:
    from c2vsearch.filters import Filter

Paths = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="GLOB", help="Only paths like this, as in .gitignore: 'docs/**', '!*.log'."),
]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Only of this kind or suffix: pdf, markdown, md.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only modified since then: 2026-11-27, 2026-11-27T14:30.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only modified until then; a date is its end.")
]
MetadataPairs = Annotated[
    list[str] | None,
    typer.Option("-m", "--meta", metavar="FIELD=VALUE", help="Only with such metadata; also != < <= > >=."),
]
WhereText = Annotated[
    str | None, typer.Option("--where", metavar="FILTER", help="Only what meets it: \"year >= 2024 or team = 'ops'\".")
]


def asked_filter(
    paths: list[str] | None, types: list[str] | None, since: str | None, until: str | None,
    metadata: list[str] | None, where: str | None,
) -> Filter | None:  # fmt: skip
    """All of the options as one filter; None when there are none.

    Raises:
        InvalidQuery: One of them cannot be read.
    """
    from c2vsearch.filters import And, Compare, Or, PathGlob, parse, parse_pair

    parts: list[Filter] = [parse_pair(pair) for pair in metadata or []]
    if paths:
        parts.append(PathGlob(tuple(paths)))
    if types:
        names = [name.lower().removeprefix(".") for name in types]
        parts.append(Or(tuple(Compare(field, "=", name) for name in names for field in ("kind", "suffix"))))
    if since is not None:
        parts.append(Compare("date", ">=", local_time(since, option="--since")))
    if until is not None:
        parts.append(Compare("date", "<=", local_time(until, option="--until", end=True)))
    if where is not None:
        parts.append(parse(where))
    return And(tuple(parts)) if parts else None


def local_time(text: str, *, option: str, end: bool = False) -> datetime.datetime:
    """A time, local where no zone is said; of a date its beginning, or its end.

    >>> local_time("2026-11-27T14:30Z", option="--since").astimezone(datetime.UTC).hour
    14
    >>> local_time("2026-11-27", option="--until", end=True) - local_time("2026-11-27", option="--since")
    datetime.timedelta(seconds=86399, microseconds=999999)
    """
    try:
        time = datetime.datetime.fromisoformat(text)
        if end and len(text) == len("2026-11-27"):
            time = datetime.datetime.combine(time, datetime.time.max)
        return time.astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(f"{option} is {text!r}; expected a time such as 2026-11-27 or 2026-11-27T14:30") from error
