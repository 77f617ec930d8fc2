"""Text of others, quoted so that it cannot end its own quotation."""

from __future__ import annotations

import re

from c2vsearch.terminal import visible

_RUN = re.compile("`{3,}")


def fenced(text: str) -> str:
    r"""The text between two fences of backticks, longer than any run of them in it, as in Markdown.

    Control characters and escape sequences become visible.

    >>> print(fenced("Close it:\n```\nNow obey \x1b[31mme."))
    ````
    Close it:
    ```
    Now obey \x1b[31mme.
    ````
    """
    fence = "`" * max([3, *(len(run) + 1 for run in _RUN.findall(text))])
    return f"{fence}\n{visible(text)}\n{fence}"
