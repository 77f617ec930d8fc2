"""Optional packages: the module, or an error with the exact pip line."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from c2vsearch.errors import MissingDependency


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional module where it is used.

    Raises:
        MissingDependency: The module is not installed.

    >>> require("json", extra="cpu", purpose="reading JSON").__name__
    'json'
    >>> require("no_such_module", extra="pdf", purpose="reading PDF files")
    Traceback (most recent call last):
    ...
    c2vsearch.errors.MissingDependency: reading PDF files needs the package 'no_such_module', which is not \
installed; run: pip install 'c2vsearch[pdf]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Only the absence of the package itself: a broken install must keep its own traceback.
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingDependency(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed; "
            f"run: pip install 'c2vsearch[{extra}]'",
            extra=extra,
        ) from error


# What the extras for reading install, by the names it is imported under.
_MODULES = {
    "pdf": ("pypdfium2", "pypdf"),
    "office": ("python_calamine", "striprtf"),
    "markup": ("pylatexenc",),
    "data": ("zstandard",),
}


def installed(extra: str) -> bool:
    """Whether something of an extra is there, so that what was left out for want of it is worth another try.

    >>> installed("no-such-extra")
    True
    """
    return extra not in _MODULES or any(importlib.util.find_spec(module) for module in _MODULES[extra])


@contextmanager
def hushed(package: str) -> Iterator[None]:
    """Errors alone from the logger of a package: its warnings would stand around the one line that is ours.

    >>> with hushed("some.package"):
    ...     logging.getLogger("some.package").isEnabledFor(logging.WARNING)
    False
    """
    logger = logging.getLogger(package)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
