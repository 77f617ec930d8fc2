"""FAISS, loaded when it is first needed, and how many threads it uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from c2vsearch.optional import require


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
