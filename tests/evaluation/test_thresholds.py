"""The gate: what passes, what is said when it does not, and what is no gate at all."""

from __future__ import annotations

import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.evaluation import Evaluation, Threshold, shortfalls


def evaluation(*values: float, mode: str = "dense", model: str = "m") -> Evaluation:
    return Evaluation(mode, tuple(map(str, range(len(values)))), {"nDCG@10": values, "RR": values}, model)


def test_a_mean_at_the_threshold_passes_and_one_below_does_not() -> None:
    assert shortfalls([evaluation(0.5, 0.75)], [Threshold("nDCG@10", 0.625)]) == []
    [missed] = shortfalls([evaluation(0.5, 0.75)], [Threshold("nDCG@10", 0.63), Threshold("RR", 0.6)])
    assert (missed.model, missed.mode, missed.mean) == ("m", "dense", 0.625)
    assert str(missed) == "nDCG@10 of m in mode dense is 0.6250; expected at least 0.63"


def test_every_row_has_to_pass() -> None:
    rows = [evaluation(0.9), evaluation(0.1, mode="bm25"), evaluation(0.2, model="n")]
    missed = shortfalls(rows, [Threshold("RR", 0.5)])
    assert [(each.model, each.mode) for each in missed] == [("m", "bm25"), ("n", "dense")]


def test_a_mean_just_below_is_shown_below() -> None:
    [missed] = shortfalls([evaluation(0.599999)], [Threshold("RR", 0.6)])
    assert str(missed) == "RR of m in mode dense is 0.599999; expected at least 0.6"


@pytest.mark.parametrize("text", ["", "nDCG@10", "=0.5", "nDCG@10=", "nDCG@10=good", "nDCG@10=nan", "nDCG@10=inf"])
def test_a_malformed_threshold_is_a_usage_error(text: str) -> None:
    with pytest.raises(InvalidConfig, match="expected MEASURE=NUMBER") as caught:
        Threshold.parse(text)
    assert caught.value.exit_code == 2
