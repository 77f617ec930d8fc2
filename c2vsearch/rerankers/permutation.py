"""What a language model answers when it is asked for an order: ``[2] > [1] > [3]``, or anything else. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

_BRACKETED = re.compile(r"\[\s*(\d{1,9})\s*\]")
_NUMBER = re.compile(r"(?<![\d.])\d{1,9}(?![\d.]*\d)")


def parse_permutation(answer: str, count: int) -> list[int]:
    """Places from 0, best first: a permutation of ``range(count)``, whatever was answered.

    A number that is repeated counts where it stands first, one that cannot be does not count, and what is missing
    follows in the order it had. Thoughts before the answer are no answer.

    >>> parse_permutation("[2] > [3] > [2] > [9]", 4), parse_permutation("The best are 3 and 1.", 3)
    ([1, 2, 0, 3], [2, 0, 1])
    >>> parse_permutation("I cannot rank these.", 2)
    [0, 1]
    """
    told = answer.rpartition("</think>")[2]
    numbers = _BRACKETED.findall(told) or _NUMBER.findall(told)
    places = [int(number) - 1 for number in numbers]
    return list(dict.fromkeys([*(place for place in places if 0 <= place < count), *range(count)]))


def slide(
    items: Sequence[Item], order: Callable[[Sequence[Item]], Sequence[int]], *, window: int, step: int
) -> list[Item]:
    """The items with a window moved over them from the last to the first, each part put in order as it is passed.

    So the best of all can rise to the top, and the first ``window - step`` are as good as they get (Sun et al., EMNLP
    2023).

    Args:
        items: Best first, as far as is known.
        order: Places of a part of the items, best first.
        window: Items put in order at a time.
        step: How far the window moves.

    >>> slide([5, 4, 3, 2, 1], lambda part: sorted(range(len(part)), key=part.__getitem__), window=3, step=2)
    [1, 4, 5, 2, 3]
    """
    found = list(items)
    end = len(found)
    while end > 0:
        start = max(0, end - window)
        part = found[start:end]
        found[start:end] = [part[place] for place in order(part)]
        if start == 0:
            break
        end -= step
    return found
