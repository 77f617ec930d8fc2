"""Which candidates become hits: the best, so many from one file, different from each other. Orders and leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import Collection
from c2vsearch.config import HITS_OF_A_FILE, SearchConfig
from c2vsearch.search.candidate import Candidate

LOOKED_AT = 5  # times k: how far down a more different hit is looked for


def chosen(collection: Collection, candidates: Iterable[Candidate], config: SearchConfig) -> list[Candidate]:
    """The ``config.k`` candidates, or files, that are given, in the order they are given in.

    Args:
        collection: Where the vectors are.
        candidates: Best first.
        config: ``k``, ``diversity``, ``group_by`` and ``per_source``.
    """
    if config.diversity > 0:
        head = list(islice(candidates, max(50, LOOKED_AT * config.k)))
        vectors = collection.vectors([candidate.row for candidate in head])
        order = marginal_relevance([each.score for each in head], vectors, diversity=config.diversity)
        candidates = [head[place] for place in order]
    if config.group_by == "file":
        return grouped(candidates, files=config.k, per_source=config.per_source or HITS_OF_A_FILE)
    return first(candidates, k=config.k, per_source=config.per_source)


def first(candidates: Iterable[Candidate], *, k: int, per_source: int | None) -> list[Candidate]:
    """The first k candidates, at most so many from one file."""
    found: list[Candidate] = []
    counts: dict[str, int] = {}
    for candidate in candidates:
        source = candidate.chunk.source
        counts[source] = counts.get(source, 0) + 1
        if per_source is None or counts[source] <= per_source:
            found.append(candidate)
        if len(found) == k:
            break
    return found


def grouped(candidates: Iterable[Candidate], *, files: int, per_source: int) -> list[Candidate]:
    """The candidates of the first so many files, those of a file together, in the order of their best ones."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        source = candidate.chunk.source
        if source not in groups and len(groups) == files:
            continue
        group = groups.setdefault(source, [])
        if len(group) < per_source:
            group.append(candidate)
        if len(groups) == files and all(len(each) == per_source for each in groups.values()):
            break
    return [candidate for group in groups.values() for candidate in group]


def marginal_relevance(scores: Sequence[float], vectors: NDArray[np.float32], *, diversity: float) -> list[int]:
    """Places in the order of maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998).

    Each next one has the highest ``(1 - diversity) * score - diversity * likeness``: its score, scaled to [0, 1] over
    the candidates, less its highest cosine with what stands before it.

    Args:
        scores: Best first.
        vectors: Unit rows. Shape: (len(scores), D).
        diversity: From 0, the order of the scores, to 1, which looks at nothing but the difference.

    >>> marginal_relevance([0.9, 0.8, 0.5], np.float32([[1, 0], [1, 0], [0, 1]]), diversity=0.6)
    [0, 2, 1]
    """
    if not scores:
        return []
    low, high = min(scores), max(scores)
    worth = (np.asarray(scores) - low) / (high - low or 1.0)
    order, left = [0], list(range(1, len(scores)))
    likeness = vectors @ vectors[0]
    while left:
        gains = (1 - diversity) * worth[left] - diversity * likeness[left]
        order.append(left.pop(int(np.argmax(gains))))
        likeness = np.maximum(likeness, vectors @ vectors[order[-1]])
    return order
