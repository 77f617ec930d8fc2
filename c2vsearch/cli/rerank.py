"""The options of a second look: ``--rerank`` with or without a value, and the reranker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from c2vsearch.config import Rerank, SearchConfig
from c2vsearch.errors import InvalidConfig

CHOICES: dict[str, Rerank] = {"no": False, "yes": True, "auto": "auto", "stored": "stored"}

RerankOption = Annotated[
    str | None,
    typer.Option(
        "--rerank", metavar="[no|yes|auto|stored]",
        help="Look at the best candidates again; alone it means yes. With auto, where that cannot be done, a warning "
        "says so and hits are in the order of the first look. With stored (default) it is done in hybrid search where "
        "the index has the token codes of all of them, which takes a few milliseconds.",
    ),
]  # fmt: skip
RerankerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_PATH",
        help="What looks at them: a cross-encoder or a causal language model (yesno:, listwise:) of transformers, or "
        "late, the token states of the index's model (default).",
    ),
]


class RerankingCommand(TyperCommand):
    """A verb whose ``--rerank`` needs no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse with the value written out."""
        return super().parse_args(ctx, with_value(args))


def with_value(arguments: Sequence[str]) -> list[str]:
    """Arguments in which ``--rerank`` has a value; what follows it is one only if it could be.

    >>> with_value(["--rerank", "who is on call"]), with_value(["who", "--rerank", "auto"]), with_value(["--no-rerank"])
    (['--rerank=yes', 'who is on call'], ['who', '--rerank=auto'], ['--rerank=no'])
    >>> with_value(["--", "--rerank"])
    ['--', '--rerank']
    """
    found: list[str] = []
    left = list(arguments)
    while left and left[0] != "--":
        argument = left.pop(0)
        if argument == "--no-rerank":
            argument = "--rerank=no"
        elif argument == "--rerank":
            argument += f"={left.pop(0) if left and left[0] in CHOICES else 'yes'}"
        found.append(argument)
    return found + left


def asked_rerank(rerank: str | None, reranker: Any) -> Rerank:
    """What was asked for; a reranker that is named is used.

    >>> asked_rerank(None, "some/model"), asked_rerank("no", "some/model"), asked_rerank("auto", None)
    (True, False, 'auto')
    """
    if rerank is None:
        return SearchConfig.rerank if reranker is None else True
    if rerank not in CHOICES:
        raise InvalidConfig(f"--rerank is {rerank!r}; expected one of {', '.join(CHOICES)}")
    return CHOICES[rerank]
