"""As many texts looked at again as there is time for, best first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from c2vsearch.rerankers.protocol import ListReranker, Reranker

MARGIN = 1.15  # a part may take so much longer than those before it
GROWTH = 4  # how much larger than all before it a part may be, for what was measured on few is not known well


def scores_within(
    reranker: Reranker, query: str, texts: Sequence[str], *, budget_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:  # fmt: skip
    """Scores of the first texts, of as many as fit the budget.

    How long a text takes is known only when one was looked at: the first one, or the first window of a reranker that
    compares texts with each other, is scored whatever the budget is.

    Args:
        reranker: Scores them.
        query: What they are scored against.
        texts: Best first.
        budget_s: Seconds.
        clock: Seconds from any moment on.
    """
    if not texts:
        return []
    if isinstance(reranker, ListReranker):
        return _of_windows(reranker, query, texts, budget_s, clock)
    began = now = clock()
    found: list[float] = []
    fitting = 1
    while fitting >= 1 and len(found) < len(texts):
        part = texts[len(found) : len(found) + fitting]
        found += reranker.scores(query, part)
        before, now = now, clock()
        # What the last part took: the first text by itself takes longer than one among many.
        each = (now - before) / len(part) * MARGIN
        most = GROWTH * len(found)
        fitting = min(most, int((began + budget_s - now) / each)) if each > 0 else most
    return found


def _of_windows(
    reranker: ListReranker, query: str, texts: Sequence[str], budget_s: float, clock: Callable[[], float]
) -> list[float]:
    """One window, and then, where there is time for several, all of them anew: an order is made from its end."""
    began = clock()
    found = reranker.scores(query, texts[: reranker.window])
    spent = clock() - began
    windows = 1 + len(texts) if spent <= 0 else int((budget_s - spent) / (spent * MARGIN))
    more = min(len(texts), reranker.window + (windows - 1) * reranker.step)
    return reranker.scores(query, texts[:more]) if more > len(found) and windows > 1 else found
