"""FAISS, loaded when it is first needed, and the threads that a search takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from c2vsearch.optional import require

Question = TypeVar("Question")
Answer = TypeVar("Answer")
# Fewer for each thread do not pay for starting it.
LEAST_SHARED = 4


def faiss_module() -> ModuleType:
    """FAISS.

    Raises:
        MissingDependency: It is not installed.
    """
    return require("faiss", extra="cpu", purpose="vector search")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads in this one; 0 for as many as it likes."""
    faiss = faiss_module()
    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or usual)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)


def in_threads(answer: Callable[[Sequence[Question]], Sequence[Answer]], queries: Sequence[Question]) -> list[Answer]:
    """What a function answers to each of some queries, in their order, with the queries shared out over threads.

    There are as many threads as FAISS would use, and FAISS uses one in each. Few queries are answered in this one.

    >>> in_threads(lambda part: [len(part)] * len(part), list(range(3)))
    [3, 3, 3]
    """
    shares = max(1, min(faiss_module().omp_get_max_threads(), len(queries) // LEAST_SHARED))
    if shares == 1:
        with threads(1):
            return list(answer(queries))
    ends = [len(queries) * number // shares for number in range(shares + 1)]
    with ThreadPoolExecutor(shares) as pool:

        def part(number: int) -> Sequence[Answer]:
            with threads(1):
                return answer(queries[ends[number] : ends[number + 1]])

        return [found for share in pool.map(part, range(shares)) for found in share]
