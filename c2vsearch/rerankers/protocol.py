"""What a search asks of a reranker. Anything with these members will do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


class Reranker(Protocol):
    """Scores texts against a query; higher is better."""

    @property
    def weight(self) -> float:
        """The share of its scores beside those before it, from 0 to 1, where no other is asked for."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score a text, in their order. Texts come best first, as they stood before."""


@runtime_checkable
class ListReranker(Protocol):
    """A reranker that compares texts with each other: its scores mean nothing beside those of another call."""

    @property
    def window(self) -> int:
        """Texts it reads at a time."""

    @property
    def step(self) -> int:
        """Texts that are new in each further window."""

    @property
    def weight(self) -> float:
        """As a reranker's."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """As a reranker's."""
