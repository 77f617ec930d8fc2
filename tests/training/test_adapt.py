"""Adapting a model to an index, with a stand-in for the training itself: what is written, averaged, measured, claimed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from c2vsearch.encoder import HashEncoder, load_encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.indexing import index_directory
from c2vsearch.model import checkpoint
from c2vsearch.model.spec import read_spec
from c2vsearch.training.adapt import AdaptConfig, Adapted, adapt, blend, recipe, verdict
from c2vsearch.training.adaptation import Gain, PairRanks, adaptation_pairs, evaluate_pairs
from c2vsearch.training.config import TrainingConfig
from c2vsearch.training.pairs import read_pairs
from tests.tiny_models import WORDS, make_model, make_spec, make_tokenizer


def saved(place: Path, *, seed: int) -> Path:
    place.mkdir()
    make_tokenizer().save(str(place / "tokenizer.json"))
    checkpoint.save(make_model(make_spec(), seed=seed), place / "model", tokenizers=place)
    return place / "model"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("adapt")
    (home / "docs").mkdir()
    for number in range(8):
        chance = random.Random(number)
        body = " ".join(
            f"The {' '.join(chance.choices(WORDS[:13], k=7))} {chance.choice(WORDS[:13])}s." for _ in range(8)
        )
        (home / "docs" / f"{number}.md").write_text(f"# Page {number} {chance.choice(WORDS)}\n\n{body}\n")
    index_directory(home / "docs", index=home / "index", encoder=HashEncoder())
    return home / "index"


def test_everything_is_written_and_measured_on_the_exported_model(tmp_path: Path, index: Path) -> None:
    start, other = saved(tmp_path / "a", seed=1), saved(tmp_path / "b", seed=1)
    asked: list[TrainingConfig] = []

    def train(config: TrainingConfig) -> Path:
        asked.append(config)
        return other

    config = AdaptConfig(model=str(start), held_out=0.25, seed=3, batch_size=4)
    done = adapt(index, tmp_path / "out", train=train, config=config)
    found = adaptation_pairs(index, seed=3, held_out=0.25)
    mined = read_pairs(tmp_path / "out" / "mined.jsonl")
    offered = [(pair.query, pair.positive, pair.group) for pair in found.train]
    assert [found for found in offered if found in {(m.query, m.positive, m.group) for m in mined}] == [
        (pair.query, pair.positive, pair.group) for pair in mined
    ]
    assert len(mined) == done.pairs >= 10
    groups: dict[str, set[str]] = {}
    for pair in found.train:
        groups.setdefault(pair.group, set()).add(pair.positive)
    assert all(len(pair.negatives) == 1 and pair.negatives[0] not in groups[pair.group] for pair in mined)
    assert asked == [recipe(config, pairs=len(mined), out=tmp_path / "out")]
    assert asked[0].data.files == (str(tmp_path / "out" / "mined.jsonl"),)
    assert asked[0].model.start == str(start)
    assert done.before == evaluate_pairs(load_encoder(start), found.held_out)
    assert done.after == evaluate_pairs(load_encoder(tmp_path / "out" / "model"), found.held_out)
    assert load_encoder(done.folder).fingerprint.name == "tiny-index"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["before"]["nDCG@10"] == done.before.ndcg(10)
    assert report["better"] is done.gain.better
    assert report["held_out"] == {"questions": len(found.held_out.queries), "documents": 2}
    with pytest.raises(InvalidConfig, match="exists"):
        adapt(index, tmp_path / "out", train=train, config=config)


def test_blending_is_the_weighted_mean(tmp_path: Path) -> None:
    start, trained = saved(tmp_path / "a", seed=1), saved(tmp_path / "b", seed=2)
    blend(start, trained, tmp_path / "c", share=0.25, name="mixed")
    first, second, mixed = (checkpoint.load(folder).state_dict() for folder in (start, trained, tmp_path / "c"))
    assert read_spec(tmp_path / "c").name == "mixed"
    assert not torch.equal(first["projector.up.weight"], second["projector.up.weight"])
    for name, tensor in mixed.items():
        torch.testing.assert_close(tensor, 0.75 * first[name] + 0.25 * second[name])


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Gain(0.05, 0.01, 0.09), "better on documents"),
        (Gain(0.05, 0.0, 0.09), "not shown to be better"),
        (Gain(0.05, -0.01, 0.09), "not shown to be better"),
        (Gain(0.0, 0.0, 0.0), "not shown to be better"),
        (Gain(-0.05, -0.09, -0.01), "WORSE"),
    ],
)
def test_no_more_is_claimed_than_the_interval_says(gain: Gain, words: str) -> None:
    ranks = PairRanks((1,), ("a",))
    adapted = Adapted(Path("m"), 9, 1, 1, 0, ranks, ranks, gain)
    assert verdict(adapted).startswith(words)


def test_steps_follow_the_pairs() -> None:
    config = AdaptConfig(epochs=3, batch_size=32, max_steps=300)
    assert [config.steps(pairs) for pairs in (5, 320, 10**6)] == [1, 30, 300]
    for settings in ({"epochs": 0}, {"batch_size": 1}, {"max_steps": 0}, {"blend": 0.0}):
        with pytest.raises(InvalidConfig):
            AdaptConfig(**settings)


def test_the_trainer_itself_is_the_default(tmp_path: Path, index: Path) -> None:
    """A real, short run: weights move, the encoder stays, and the model is measured."""
    pytest.importorskip("sentence_transformers")
    start = saved(tmp_path / "a", seed=1)
    config = AdaptConfig(model=str(start), held_out=0.25, batch_size=4, max_steps=2, lr=1e-2, blend=1.0, max_tokens=32)
    done = adapt(index, tmp_path / "out", config=config)
    before, after = (
        checkpoint.load(start).state_dict(),
        checkpoint.load(tmp_path / "out" / "run" / "model").state_dict(),
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("decoder.", "projector.")) for name in moved)
    assert (
        done.after.ranks
        == evaluate_pairs(load_encoder(done.folder), adaptation_pairs(index, seed=0, held_out=0.25).held_out).ranks
    )
