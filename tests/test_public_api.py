"""The public door: every promised name resolves, and importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import c2vsearch

HEAVY = {"torch", "transformers", "faiss", "pyarrow", "numpy", "onnxruntime", "tantivy", "tokenizers"}


def test_every_public_name_resolves() -> None:
    for name in c2vsearch.__all__:
        assert getattr(c2vsearch, name) is not None
    assert sorted(set(dir(c2vsearch))) == sorted(c2vsearch.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        _ = c2vsearch.Nope  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "statement",
    [
        "import c2vsearch",
        "import c2vsearch.cli.app",
        "import c2vsearch.errors, c2vsearch.records, c2vsearch.config, c2vsearch.artifacts",
        "import sys; sys.argv = ['c2vsearch', '--help']\nfrom c2vsearch.cli.app import main\ntry: main()\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint('LOADED', *sorted({{m.split('.')[0] for m in sys.modules}} & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
