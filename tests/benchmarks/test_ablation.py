import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import ablation
import pytest
from ablations.backbone import BackboneConfig
from ablations.run import RunConfig

from c2vsearch.training.pairs import Pair


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The runs that were made: a variant's name and a seed each."""
    made: list[tuple[str, int]] = []

    def run(model: str, *_: object, seed: int) -> dict[str, object]:
        made.append((model, seed))
        return {"seed": seed, "loss_last": 0.5, "train_s": 1.0, "nDCG@10": {"small": [0.25, 0.75]}}

    monkeypatch.setattr(ablation, "run_variant", run)
    return made


def study(work: Path, *, steps: int = 3, seeds: int = 2, variants: str = "causal2vec,last") -> SimpleNamespace:
    return SimpleNamespace(
        args=argparse.Namespace(work=work, seeds=seeds, variants=variants, sets="small", table=False),
        config=RunConfig(steps=steps),
        backbone_config=BackboneConfig(),
        model=lambda name, seed: name,
    )


SOURCES = {"words": [Pair("a", "b")]}


def test_runs_go_a_seed_at_a_time_and_are_not_repeated(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    first = ablation.run_all(study(tmp_path), SOURCES, [])
    assert ran == [("causal2vec", 0), ("last", 0), ("causal2vec", 1), ("last", 1)]
    (tmp_path / "last-1.json").unlink()
    assert ablation.run_all(study(tmp_path), SOURCES, []) == first
    assert ran[4:] == [("last", 1)]


def test_a_run_that_was_cut_off_leaves_nothing_behind(
    tmp_path: Path, ran: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    ablation.run_all(study(tmp_path, seeds=1), SOURCES, [])
    monkeypatch.setattr(ablation, "run_variant", stopped)
    with pytest.raises(KeyboardInterrupt):
        ablation.run_all(study(tmp_path), SOURCES, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["causal2vec-0.json", "last-0.json"]


def test_a_table_of_what_is_finished_runs_nothing(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    finished = ablation.run_all(study(tmp_path, seeds=1, variants="last"), SOURCES, [])
    asked = study(tmp_path)
    asked.args.table = True
    assert ablation.run_all(asked, SOURCES, []) == finished
    assert ran == [("last", 0)]


def test_runs_on_other_sets_are_refused(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    ablation.run_all(study(tmp_path), SOURCES, [])
    asked = study(tmp_path)
    asked.args.sets = "small,large"
    with pytest.raises(SystemExit, match="use another --work"):
        ablation.run_all(asked, SOURCES, [])


def test_runs_of_other_settings_are_refused(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    ablation.run_all(study(tmp_path), SOURCES, [])
    with pytest.raises(SystemExit, match="use another --work"):
        ablation.run_all(study(tmp_path, steps=4), SOURCES, [])


def test_pairs_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text(json.dumps({"query": "a", "positive": "b"}) + "\n")
    assert ablation.read_sources(tmp_path, ["words"]) == SOURCES
    with pytest.raises(SystemExit, match="no file of pairs 'wrods'; expected some of words"):
        ablation.read_sources(tmp_path, ["wrods"])


def test_the_table_replaces_the_one_between_its_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "ablation.md"
    monkeypatch.setattr(ablation, "DOCUMENT", page)
    page.write_text(f"# Title\n\n{ablation.BEGIN}\nold\n{ablation.END}\n\nReading\n")
    ablation.write_table("| new |")
    ablation.write_table("| newer |")
    assert page.read_text() == f"# Title\n\n{ablation.BEGIN}\n| newer |\n{ablation.END}\n\nReading\n"
