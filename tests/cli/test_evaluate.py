"""`c2vsearch evaluate` as a script meets it: one table, files to read, and a gate with an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.cli.evaluate import evaluate
from c2vsearch.cli.query import query
from c2vsearch.errors import EncoderMismatch, ModelNotFound, UsageError
from c2vsearch.evaluation import read_beir
from c2vsearch.evaluation.evaluate import measure_run
from c2vsearch.evaluation.runs import read_run
from tests.cli.test_cli import run
from tests.evaluation.small_set import write_beir

pytest.importorskip("ir_measures")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    write_beir(place / "small")
    return place


def test_models_sizes_and_modes_in_one_table_with_runs_and_plots(home: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run(
        "evaluate", "small", "--model", "hash", "--max-tokens", "16", "--max-tokens", "32", "--compare", "dense,bm25",
        "--run-dir", "out/runs", "--plots", "out/plots", "--json", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    rows = [(row["model"], row["mode"]) for row in result["results"]]
    assert rows == [(f"hash ({size} tokens)", mode) for size in (16, 32) for mode in ("dense", "bm25")]
    assert (result["target"], result["queries"], result["below"]) == ("small", 12, [])
    assert [each["second"] for each in result["comparisons"]] == [{"model": m, "mode": n} for m, n in rows[1:]]
    assert all(each["p"] <= each["p_holm"] <= 1 for each in result["comparisons"])
    # The files say what the table says.
    questions = read_beir(home / "small").questions
    for name, row in zip(("16-tokens.dense", "16-tokens.bm25"), result["results"], strict=False):
        found = measure_run("x", read_run(home / f"out/runs/hash-{name}.run"), questions, ["nDCG@10"])
        assert found.mean("nDCG@10") == pytest.approx(row["measures"]["nDCG@10"]["mean"])
    assert {path.name for path in (home / "out/plots").iterdir()} == {"by_k.png", "by_length.png", "report.html"}
    assert "small with hash (16 tokens), 12 queries ..." in done.stderr.splitlines()


def test_people_see_the_same_rows(home: Path) -> None:
    done = run("evaluate", "small", "--model", "hash", "--compare", "dense,bm25,hybrid", cwd=home)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["model", "mode", "nDCG@10", "R@100", "RR@10"] in lines
    assert [line[:2] for line in lines if line[:1] == ["hash"]][:3] == [["hash", mode] for mode in
                                                                         ("dense", "bm25", "hybrid")]  # fmt: skip
    assert "after Holm (paired permutation)" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_mean_below_the_minimum_is_exit_1_and_one_line(home: Path) -> None:
    arguments = ["evaluate", "small", "--model", "hash", "--compare", "bm25", "--json"]
    value = json.loads(run(*arguments, cwd=home).stdout)["results"][0]["measures"]["nDCG@10"]["mean"]
    passed = run(*arguments, "--min", f"nDCG@10={value - 0.001}", "--min", "AP=0", cwd=home)
    assert passed.returncode == 0, passed.stderr
    assert json.loads(passed.stdout)["results"][0]["measures"]["AP"]["mean"] > 0  # measured because it is gated
    missed = run(*arguments, "--min", "nDCG@10=0.99", "--min", "AP=0", cwd=home)
    assert missed.returncode == 1
    expected = f"c2vsearch: nDCG@10 of hash in mode bm25 is {value:.4f}; expected at least 0.99"
    assert missed.stderr.splitlines()[-1] == expected
    assert [each["measure"] for each in json.loads(missed.stdout)["below"]] == ["nDCG@10"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["small", "--min", "nDCG@10"], 2, "expected MEASURE=NUMBER, such as nDCG@10=0.6"),
        (["no/where"], 2, "no file or directory at no/where"),
    ],
)
def test_one_line_and_an_exit_code(home: Path, arguments: list[str], code: int, message: str) -> None:
    done = run("evaluate", *arguments, cwd=home, HF_HUB_OFFLINE="1")
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minima": ["nonsense=0.1"]}, "expected measures such as nDCG@10"),
        ({"modes": "magic"}, "no mode 'magic'"),
        ({"modes": ","}, "names nothing"),
        ({"max_tokens": [8]}, "max_tokens is 8; expected at least 16"),
        ({"overlap_tokens": 8}, "without --max-tokens"),
        ({"run_dir": Path("corpus.jsonl/x")}, "cannot be made a folder for results"),
        ({"depth": 0}, "k is 0; expected at least 1"),
        ({"models": ["openai:nowhere"]}, "expected openai:URL#MODEL"),
    ],
)
def test_wrong_usage(
    home: Path, settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(home / "small")
    with pytest.raises(UsageError, match=message) as caught:
        evaluate(".", **{"models": ["hash"], **settings})
    assert caught.value.exit_code == 2
    assert capsys.readouterr().out == ""


def test_a_sentence_transformers_model_from_index_to_answer(tmp_path: Path, capsys: Any) -> None:
    """The index knows its model, asks it again, and refuses another by name with exit code 5."""
    pytest.importorskip("sentence_transformers")
    from tests.tiny_sentence_transformers import save_tiny

    model, other = save_tiny(tmp_path / "one", seed=1), save_tiny(tmp_path / "two", seed=2)
    (tmp_path / "docs").mkdir()
    for word in ("fox", "dog"):
        (tmp_path / "docs" / f"{word}.txt").write_text(f"the lazy {word}\n")
    index_directory(tmp_path / "docs", index=tmp_path / "indexes" / "docs", encoder=f"st:{model}")
    capsys.readouterr()
    query(["the lazy fox"], place=tmp_path / "indexes" / "docs", mode="dense", files_only=True, k=1)
    assert capsys.readouterr() == ("fox.txt\n", "")  # no progress bars, no warnings
    with pytest.raises(EncoderMismatch, match=f"was built with st:{model}@") as caught:
        Retriever.open(tmp_path / "indexes" / "docs", encoder=f"st:{other}")
    assert caught.value.exit_code == 5
    # A folder that moved is the same model.
    model.rename(tmp_path / "moved")
    with pytest.raises(ModelNotFound, match="say where it is with --model PATH"):
        Retriever.open(tmp_path / "indexes" / "docs").search("fox")
    with Retriever.open(tmp_path / "indexes" / "docs", encoder=f"st:{tmp_path / 'moved'}") as retriever:
        assert retriever.search("the lazy fox", k=1, mode="dense")[0].source == "fox.txt"
