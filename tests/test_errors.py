"""The tree drawn in the docstring is the tree of the classes."""

from __future__ import annotations

import re

import pytest

from c2vsearch import errors
from c2vsearch.optional import require


def test_the_drawing_is_true() -> None:
    assert errors.__doc__ is not None
    parents = {0: "C2VSearchError"}
    drawn = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"    ([│├└─ ]*)(\w+)\s\s", line):
            depth = len(match.group(1)) // 4
            drawn[match.group(2)] = parents[depth - 1] if depth else None
            parents[depth] = match.group(2)
    classes = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}
    warned = {name for name, cls in classes.items() if issubclass(cls, Warning)}
    assert warned == {"NotReranked"}
    classes = {name: cls for name, cls in classes.items() if name not in warned}
    assert set(drawn) | {"C2VSearchError"} == set(classes)
    for name, parent in drawn.items():
        if parent:
            assert classes[name].__bases__[0].__name__ == parent


def test_a_missing_package_is_also_an_import_error() -> None:
    with pytest.raises(ImportError, match=r"pip install 'c2vsearch\[pdf\]'"):
        require("no_such_package", extra="pdf", purpose="reading PDF files")


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import something_it_needs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="something_it_needs") as caught:
        require("broken_package", extra="pdf", purpose="reading")
    assert not isinstance(caught.value, errors.MissingDependency)
