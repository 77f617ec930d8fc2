"""A configuration: read, changed, refused by name; every recipe parses, and runs on tiny backbones of its kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.training import read_config
from c2vsearch.training.config import differences, make_config

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = {"model": {"start": "c2v-mini"}, "data": {"files": ["a.jsonl"]}}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_is_read_and_changed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.toml",
        '[model]\nencoder = "e"\ndecoder = "d"\n[data]\nfiles = ["x"]\n[data.weights]\nx = 2\n[training]\nlr = 1\n',
    )
    config = read_config(
        path, settings=["training.steps=10", "model.encoder=other/name", "data.weights.x=0.5", "loss.matryoshka=[4, 8]"]
    )
    assert config.training.lr == 1.0
    assert config.training.steps == 10
    assert config.model.encoder == "other/name"
    assert config.data.weights == {"x": 0.5}
    assert config.loss.matryoshka == (4, 8)
    assert make_config(config.to_record() | {"model": {"encoder": "e", "decoder": "d"}}).training == config.training


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        ("trainig", {}, r"unknown table 'trainig'; did you mean 'training'"),
        ("training", {"learning_rat": 1}, r"unknown key 'learning_rat' in \[training\]"),
        ("training", {"step": 1}, r"did you mean 'steps'"),
        ("loss", {"temprature": 1}, r"did you mean 'temperature'"),
        ("training", {"steps": "ten"}, r"training.steps is 'ten', a str; expected int"),
        ("training", {"steps": True}, r"training.steps is True, a bool; expected int"),
        ("training", {"steps": 1.5}, r"training.steps is 1.5, a float; expected int"),
        ("training", {"precision": "fp16"}, r"training.precision is 'fp16'; expected one of 'bf16', 'fp32'"),
        ("training", {"steps": 0}, r"steps is 0; expected at least 1"),
        ("data", {"files": "a"}, r"data.files is 'a'; expected a list"),
        ("data", {"files": []}, r"files is empty"),
        ("data", {"files": [1]}, r"data.files\[0\] is 1, a int; expected str"),
        ("data", {"files": ["a"], "weights": {"x": "y"}}, r"data.weights.x is 'y'"),
        ("data", {"files": ["a"], "weights": [1]}, r"data.weights is \[1\]; expected a table"),
        ("loss", {"temperature": 0}, r"temperature is 0.0; expected more than 0"),
        ("lora", {"dropout": 1.0}, r"dropout is 1.0"),
        ("model", {}, r"needs either encoder and decoder, or start; given: none"),
        ("model", {"encoder": "e", "start": "s"}, r"given: encoder, start"),
        ("model", {"start": "s", "pooling": "eos"}, r"start keeps the layout of its model; take away pooling"),
        ("model", {"start": "s", "max_tokens": "x"}, r"model.max_tokens is 'x', a str; expected int"),
        ("model", 3, r"model is 3; expected a table"),
    ],
)
def test_what_cannot_be_is_refused_by_name(table: str, values: object, message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        make_config({**SMALL, table: values})


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"c\.toml cannot be read"):
        read_config(write(tmp_path / "c.toml", "[model\n"))
    with pytest.raises(InvalidConfig, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(InvalidConfig, match="--set 'steps=3' cannot be read"):
        read_config(write(tmp_path / "d.toml", ""), settings=["steps=3"])


def test_differences_are_named_with_both_values() -> None:
    config = make_config(SMALL)
    other = dataclasses.replace(config, loss=dataclasses.replace(config.loss, matryoshka=(4,)))
    assert differences(config.to_record(), other.to_record()) == ["loss.matryoshka: [] -> [4]"]


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_says_what_its_defaults_are(recipe: Path) -> None:
    config = read_config(recipe)
    assert config.training.output == f"runs/{recipe.stem}{'-mine' if recipe.stem == 'c2v-mini' else ''}"
    if config.model.encoder:  # the literature's recipe, untouched
        run, lora = config.training, config.lora
        assert (run.steps, run.batch_size, run.lr, run.warmup_steps) == (1000, 512, 2e-4, 300)
        assert (lora.rank, lora.alpha, lora.dropout, config.loss.temperature) == (16, 32, 0.05, 0.02)
