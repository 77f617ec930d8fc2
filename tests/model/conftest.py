"""Fixtures over the tiny models of `tests.tiny_models`."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch.model.tokens import TextTokenizer
from tests.tiny_models import make_spec, make_tokenizer


@pytest.fixture
def tokenizer() -> TextTokenizer:
    return TextTokenizer(make_spec(), encoder=make_tokenizer(), decoder=make_tokenizer())


@pytest.fixture
def tokenizer_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    make_tokenizer().save(str(folder / "tokenizer.json"))
    return folder
