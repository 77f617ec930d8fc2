"""Curves by depth and by length against `ir_measures` asked one value at a time, and against hand-worked lists."""

from __future__ import annotations

import math

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation import Questions, by_depth, by_length, document_lengths
from c2vsearch.evaluation.curves import length_bands
from c2vsearch.evaluation.evaluate import measure_run

pytest.importorskip("ir_measures")


def random_case(seed: int = 3) -> tuple[Questions, dict[str, dict[str, float]]]:
    rng = np.random.default_rng(seed)
    names = [f"d{number}" for number in range(60)]
    qrels = {
        str(query): {str(name): int(rng.integers(1, 3)) for name in rng.choice(names, 5, False)} for query in range(8)
    }
    run = {
        str(query): {
            str(name): float(score) for name, score in zip(rng.permutation(names), rng.random(60), strict=True)
        }
        for query in range(7)  # the last query finds nothing
    }
    return Questions({query: "x" for query in qrels}, qrels), run


@pytest.mark.parametrize("measure", ["nDCG", "R"])
def test_by_depth_is_each_measure_alone(measure: str) -> None:
    questions, run = random_case()
    evaluation = measure_run("dense", run, questions, ["nDCG@10"])
    depths = (1, 2, 7, 50)
    expected = [
        measure_run("dense", run, questions, [f"{measure}@{depth}"]).mean(f"{measure}@{depth}") for depth in depths
    ]
    assert by_depth(evaluation, questions, measure, depths=depths) == pytest.approx(expected)


def test_by_length_by_hand() -> None:
    lengths = {"s1": 10, "s2": 11, "l1": 900, "l2": 1000, "no": 500}
    questions = Questions({"1": "x", "2": "y"}, {"1": {"s1": 1, "l1": 1}, "2": {"s2": 1, "l2": 1, "gone": 1}})
    run = {"1": {"l1": 0.9, "no": 0.8, "s1": 0.7}, "2": {"no": 0.9, "l2": 0.8}}
    evaluation = measure_run("dense", run, questions, ["nDCG@10"])
    short, long = by_length(evaluation, questions, lengths, bands=2)
    # Short answers: l1 is taken out, so s1 stands second behind what answers nothing; s2 is not found.
    assert (short.shortest, short.longest, short.answers, short.queries) == (10, 11, 2, 2)
    assert short.mean == pytest.approx((1 / math.log2(3) + 0) / 2)
    # Long answers: l1 stands first, l2 second.
    assert (long.shortest, long.longest, long.answers, long.queries) == (900, 1000, 2, 2)
    assert long.mean == pytest.approx((1 + 1 / math.log2(3)) / 2)


def test_one_band_of_all_lengths_is_the_measure_itself() -> None:
    questions, run = random_case()
    evaluation = measure_run("dense", run, questions, ["nDCG@10"])
    [band] = by_length(evaluation, questions, {f"d{number}": number for number in range(60)}, bands=1)
    assert band.mean == pytest.approx(evaluation.mean("nDCG@10"))
    assert band.answers == 40


def test_bands_hold_every_length_once() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 4, 23):
        lengths = rng.integers(1, 12, count).tolist()
        spans = length_bands(lengths, bands=5)
        assert all(sum(low <= length <= high for low, high in spans) == 1 for length in lengths)
    assert length_bands([], bands=5) == []
    with pytest.raises(InvalidConfig, match="bands is 0"):
        length_bands([1], bands=0)


def test_lengths_are_those_of_the_texts(tmp_path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "short.txt").write_text("one")
    (tmp_path / "docs" / "long.txt").write_text("\n\n".join(f"Sentence number {n} stands here." for n in range(300)))
    index_directory(tmp_path / "docs", index=tmp_path / "index", encoder="hash")
    with Retriever.open(tmp_path / "index") as retriever:
        lengths = document_lengths(retriever)
    assert lengths == {"short.txt": 3, "long.txt": len((tmp_path / "docs" / "long.txt").read_text())}
