"""How well a kind of index finds what exact search finds, and how it has to be asked for that.

Queries are of several sorts: texts as people ask them, and rows of the index itself, which then do not count as
answers. A setting must do for each sort. Settings are chosen with one half of the queries and judged with the other.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from c2vsearch.index.candidates import CandidateIndex
from c2vsearch.index.engine import threads
from c2vsearch.index.measured import Measured, Recall, Setting
from c2vsearch.index.rows import RowFile

# How many nearest rows are looked for: what people look at, and what a search gives on to be fused and ranked again.
AT, MANY = 10, 100
MOST_DEPTH = 800
TIMED = 32
# An index has given what it can when two doublings of the effort add less than this.
LEVEL, LEVEL_AFTER = 0.002, 2
# Efforts that are enough with the fewest candidates, before looking no further.
SPARE = 2
_Z = 1.96


class Searched(Protocol):
    """What names candidates, on whatever device."""

    def search(  # noqa: D102
        self, queries: NDArray[np.float32], *, depth: int, effort: int, live: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Queries:
    """Held-out queries: unit rows, what sort each is of, and the row it is itself (-1: none). Shape: vectors (Q, D)."""

    vectors: NDArray[np.float32]
    sorts: tuple[str, ...]
    own: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sorts)


def depths(at: int) -> list[int]:
    """How many candidates are compared by their own rows, for so many answers.

    >>> depths(100)
    [200, 300, 400, 600, 800]
    """
    return [at * factor for factor in (2, 3, 4, 6, 8, 16, 32) if at * factor <= MOST_DEPTH]


def nearest(queries: Queries, parts: Iterable[NDArray[np.float16]], *, k: int = MANY) -> NDArray[np.int64]:
    """The true k nearest rows of each query, its own row left out; -1 where there are no more. Shape: (Q, k).

    All queries are compared with a part at once, as a product of matrices: FAISS's flat search of few queries is
    several times as slow.
    """
    best = np.full((len(queries), k), -1, dtype=np.int64)
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    start = 0
    for part in parts:
        found = queries.vectors @ part.astype(np.float32).T
        mine = np.flatnonzero((queries.own >= start) & (queries.own < start + len(part)))
        found[mine, queries.own[mine] - start] = -np.inf
        places = np.broadcast_to(np.arange(start, start + len(part)), found.shape)
        all_scores, all_places = np.concatenate([scores, found], axis=1), np.concatenate([best, places], axis=1)
        top = np.argpartition(-all_scores, k - 1, axis=1)[:, :k]
        scores, best = np.take_along_axis(all_scores, top, axis=1), np.take_along_axis(all_places, top, axis=1)
        start += len(part)
    order = np.argsort(-scores, axis=1, kind="stable")
    best, scores = np.take_along_axis(best, order, axis=1), np.take_along_axis(scores, order, axis=1)
    return np.where(np.isneginf(scores), -1, best)


def tune(
    index: CandidateIndex, rows: RowFile, queries: Queries, truth: NDArray[np.int64], *, target: float
) -> tuple[Measured, bool]:
    """The quickest setting that reaches the target with the held-out half, else the best there is; whether it does.

    Args:
        index: What is asked.
        rows: The rows it is over.
        queries: At least two of each sort.
        truth: Their true neighbours, as many as are looked for, by `nearest`. Shape: (Q, k).
        target: The share to find, for each sort of query.
    """
    choosing, judging = np.arange(len(queries)) % 2 == 0, np.arange(len(queries)) % 2 == 1
    quick = sorted(
        (latency_ms(index, rows, queries, setting), setting)
        for setting in settings(index, queries, truth, choosing, target)
    )
    measured = []
    for milliseconds, setting in quick:
        found = Measured(setting, recall(index, queries, truth, setting, judging), milliseconds)
        if min(found.recall.by_sort.values()) >= target:
            return found, True
        measured.append(found)
    return max(measured, key=lambda found: (found.recall.mean, -found.latency_ms)), False


def settings(
    index: CandidateIndex, queries: Queries, truth: NDArray[np.int64], which: NDArray[np.bool_], target: float
) -> list[Setting]:
    """Settings that reach the target with some of the queries; else the one that finds most."""
    asked = np.flatnonzero(which)
    sorts = [queries.sorts[query] for query in asked]
    at = truth.shape[1]
    found: list[Setting] = []
    most = Setting(index.efforts[-1], depths(at)[-1])
    reached: list[float] = []
    for effort in index.efforts:
        possible = [depth for depth in depths(at) if index.work(effort, depth) == effort]
        if not possible:
            continue
        candidates = index.search(queries.vectors[asked], depth=possible[-1] + 1, effort=effort)
        recalls = [
            min(_by_sort(_recalls(candidates, truth[asked], queries.own[asked], depth), sorts).values())
            for depth in possible
        ]
        enough = [Setting(effort, depth) for depth, share in zip(possible, recalls, strict=True) if share >= target]
        # One more than is enough here: chance may have been kind to this half.
        found += enough[:2]
        reached.append(recalls[-1])
        most = Setting(effort, possible[-1])
        if sum(setting.depth == depths(at)[0] for setting in found) == SPARE or _levelled(reached):
            break
    return found or [most]


def _levelled(reached: Sequence[float]) -> bool:
    """Whether twice doubling the effort has found nothing more."""
    return len(reached) > LEVEL_AFTER and reached[-1] - reached[-1 - LEVEL_AFTER] < LEVEL


def recall(
    index: Searched, queries: Queries, truth: NDArray[np.int64], setting: Setting, which: NDArray[np.bool_]
) -> Recall:
    """The recall of a setting over some of the queries."""
    asked = np.flatnonzero(which)
    candidates = index.search(queries.vectors[asked], depth=setting.depth + 1, effort=setting.effort)
    recalls = _recalls(candidates, truth[asked], queries.own[asked], setting.depth)
    return recall_of(recalls, [queries.sorts[query] for query in asked], at=truth.shape[1])


def recall_of(recalls: NDArray[np.float64], sorts: Sequence[str], *, at: int) -> Recall:
    """The mean of single recalls with its interval.

    >>> recall_of(np.array([1.0, 1.0, 0.8, 1.0]), ["a", "a", "b", "b"], at=10).by_sort
    {'a': 1.0, 'b': 0.9}
    """
    mean, count = float(recalls.mean()), len(recalls)
    low, high = interval(mean, _worth(recalls, mean, at))
    by_sort = {sort: round(value, 4) for sort, value in _by_sort(recalls, sorts).items()}
    return Recall(at, round(mean, 4), round(low, 4), round(high, 4), count, by_sort)


def interval(share: float, count: float) -> tuple[float, float]:
    """The 95 % score interval of a share of ``count`` independent trials (Wilson, JASA 1927).

    >>> tuple(round(end, 3) for end in interval(1.0, 100))
    (0.963, 1.0)
    """
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / (1 + _Z**2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _worth(recalls: NDArray[np.float64], mean: float, at: int) -> float:
    """How many independent trials the queries are worth: at least one each, at most one for each row looked for."""
    count = len(recalls)
    spread = float(recalls.var(ddof=1)) / count if count > 1 else 0.0
    trials = mean * (1 - mean) / spread if spread > 0 else 0.0
    return min(max(trials, count), count * at)


def _recalls(
    candidates: NDArray[np.int64], truth: NDArray[np.int64], own: NDArray[np.int64], depth: int
) -> NDArray[np.float64]:
    """For each query the share of its true neighbours among the first ``depth`` candidates that are not itself."""
    recalls = np.empty(len(truth))
    for query, (found, true, itself) in enumerate(zip(candidates, truth, own, strict=True)):
        wanted = true[true >= 0]
        first = found[(found >= 0) & (found != itself)][:depth]
        recalls[query] = np.isin(wanted, first).mean() if len(wanted) else 1.0
    return recalls


def _by_sort(recalls: NDArray[np.float64], sorts: Sequence[str]) -> dict[str, float]:
    names = np.asarray(sorts)
    return {sort: float(recalls[names == sort].mean()) for sort in sorted(set(sorts))}


def latency_ms(index: Searched, rows: RowFile, queries: Queries, setting: Setting) -> float:
    """The median milliseconds of a search of one query on one thread, with its rows in the page cache."""
    times = []
    with threads(1):
        for vector in queries.vectors[:TIMED]:
            began = time.perf_counter()
            [found] = index.search(vector[None], depth=setting.depth, effort=setting.effort)
            rows.take(found[found >= 0]) @ vector
            times.append(time.perf_counter() - began)
    return round(1e3 * statistics.median(times), 3)
