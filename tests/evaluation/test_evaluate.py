"""Measures and tests of significance against hand-worked values and scipy-free brute force."""

from __future__ import annotations

import inspect
import itertools
import math

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation import Evaluation, Questions, compare, evaluate
from c2vsearch.evaluation.evaluate import _documents, measure_run, run_queries
from c2vsearch.records import Hit

pytest.importorskip("ir_measures")


def evaluation(mode, values):
    return Evaluation(mode, tuple(map(str, range(len(values)))), {"nDCG@10": tuple(values)})


def test_measures_are_those_of_the_formulas_and_a_missing_query_counts_as_zero():
    questions = Questions({"1": "x", "2": "y"}, {"1": {"a": 2, "b": 1}, "2": {"c": 1}})
    run = {"1": {"z": 0.9, "a": 0.8, "b": 0.1}}
    measured = measure_run("dense", run, questions, ["nDCG@10", "RR@10", "R@100"])
    gained = 2 / math.log2(3) + 1 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert measured.values["nDCG@10"] == pytest.approx((gained / ideal, 0.0))
    assert measured.values["RR@10"] == pytest.approx((0.5, 0.0))
    assert measured.mean("R@100") == pytest.approx(0.5)


def test_a_document_stands_where_its_best_chunk_stands():
    sources = ["b", "a", "b", "c", "a"]
    hits = [Hit(rank, 1.0, str(rank), source, "", 0, 0, 1, 1) for rank, source in enumerate(sources, start=1)]
    found = _documents(hits)
    assert sorted(found, key=found.__getitem__, reverse=True) == ["b", "a", "c"]


def test_permutation_agrees_with_every_flip_of_signs():
    rng = np.random.default_rng(3)
    first, second = rng.random(9), rng.random(9)
    differences = first - second
    flips = np.array(list(itertools.product([-1, 1], repeat=9)))
    exact = float((np.abs((flips * differences).mean(axis=1)) >= abs(differences.mean()) - 1e-12).mean())
    result = compare(evaluation("a", first), evaluation("b", second), "nDCG@10")
    assert result.difference == pytest.approx(differences.mean())
    assert result.p_value == pytest.approx(exact, abs=0.04)
    assert result == compare(evaluation("a", first), evaluation("b", second), "nDCG@10")


def test_equal_modes_do_not_differ_and_clear_ones_do():
    values = [0.2, 0.4, 0.9]
    assert compare(evaluation("a", values), evaluation("b", values), "nDCG@10").p_value == 1.0
    assert compare(evaluation("a", [0.9] * 20), evaluation("b", [0.1] * 20), "nDCG@10").p_value < 0.01


def test_the_interval_is_that_of_the_normal_approximation_for_many_queries():
    values = np.random.default_rng(0).random(400)
    low, high = evaluation("a", values.tolist()).interval("nDCG@10")
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.006)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    for name in ("ferry", "claim", "rope"):
        (root / f"{name}.txt").write_text(f"All there is to know of a {name}.\n")
    index_directory(root, index=root / "index", encoder="hash")
    return Retriever.open(root / "index")


def test_every_mode_finds_the_file_that_has_the_word(retriever):
    questions = Questions({"1": "ferry", "2": "rope"}, {"1": {"ferry.txt": 1}, "2": {"rope.txt": 1}})
    evaluations = evaluate(retriever, questions, modes=["dense", "bm25", "hybrid"])
    assert [found.mode for found in evaluations] == ["dense", "bm25", "hybrid"]
    assert all(found.values["RR@10"] == (1.0, 1.0) for found in evaluations)


def test_unknown_modes_and_measures_are_refused(retriever):
    questions = Questions({"1": "ferry"}, {"1": {"ferry.txt": 1}})
    with pytest.raises(InvalidConfig, match="no mode 'magic'"):
        evaluate(retriever, questions, modes=["magic"])
    with pytest.raises(InvalidConfig, match="expected measures such as nDCG@10"):
        evaluate(retriever, questions, modes=["bm25"], measures=["nonsense@ten"])


def test_a_run_has_the_order_a_search_gives(retriever):
    for mode in ("dense", "bm25", "hybrid"):
        run = run_queries(retriever, {"1": "all of a ferry"}, mode, depth=100)["1"]
        expected = list(dict.fromkeys(hit.source for hit in retriever.search("all of a ferry", mode=mode)))
        assert sorted(run, key=run.__getitem__, reverse=True) == expected


def test_the_default_depth_fuses_the_lists_a_search_fuses():
    assert inspect.signature(evaluate).parameters["depth"].default <= SearchConfig.candidates
