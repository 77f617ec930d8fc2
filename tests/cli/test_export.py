"""`c2vsearch export` on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c2vsearch.cli.export import export
from c2vsearch.model import checkpoint
from tests.tiny_models import make_model, make_spec, make_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tokenizer().save(str(tmp_path / "tokenizer.json"))
    checkpoint.save(make_model(make_spec()), tmp_path / "m", tokenizers=tmp_path)
    return tmp_path / "m"


def test_a_table_of_how_graphs_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(str(folder), out=folder.parent / "out", precision="fp32")
    shown = capsys.readouterr()
    [line] = [line.split() for line in shown.out.splitlines() if "fp32" in line]
    assert float(line[1]) < 1e-5
    assert float(line[2]) == 1.0
    assert f"revision {checkpoint.revision(folder.parent / 'out')[:8]}" in " ".join(shown.err.split())


def test_the_same_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(str(folder), out=folder.parent / "out", precision=" fp32,", as_json=True)
    done = json.loads(capsys.readouterr().out)
    assert list(done) == ["folder", "revision", "parameters", "bytes", "graphs"]
    assert done["parameters"] == sum(parameter.numel() for parameter in checkpoint.load(folder).parameters())
    assert done["bytes"] == sum(path.stat().st_size for path in (folder.parent / "out").iterdir())
    assert done["graphs"]["fp32"]["least_cosine"] == pytest.approx(1.0, abs=1e-6)
