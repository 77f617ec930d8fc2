"""How an approximate index is asked, and what was measured of that. Plain records: a manifest holds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """How an index is asked: its effort, and how many candidates are compared by their own rows."""

    effort: int
    depth: int


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of the true ``at`` nearest rows that was found, over ``queries`` queries that chose no setting.

    ``low`` and ``high`` are the 95 % confidence interval of ``mean``; ``by_sort`` has the mean of each sort.
    """

    at: int
    mean: float
    low: float
    high: float
    queries: int
    by_sort: dict[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """A setting with its recall, and the median milliseconds of a search on one thread."""

    setting: Setting
    recall: Recall
    latency_ms: float
