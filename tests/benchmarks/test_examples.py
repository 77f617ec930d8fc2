import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["ablations.backbone", "ablations.table", "ablations.variants", "efficiency"])
def test_examples_in_docstrings_hold(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert ran.attempted > 0
    assert ran.failed == 0
