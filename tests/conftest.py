"""Small things every room's tests share: tiny models made on the spot, no downloads."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(autouse=True)
def _no_index_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own C2VSEARCH_* settings must not steer the tests."""
    for name in list(os.environ):
        if name.startswith("C2VSEARCH_") and name != "C2VSEARCH_EVAL_DATA":
            monkeypatch.delenv(name)
