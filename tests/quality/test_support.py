"""The bundled model against sentences written by hand: no worse than docs/benchmarks.md says, within a margin."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import Checked, accuracy, area, check, halves

from c2vsearch import index_directory

HANDBOOK = Path(__file__).parents[2] / "sample_corpora" / "handbook"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[Checked]:
    index = tmp_path_factory.mktemp("index") / "handbook"
    index_directory(HANDBOOK, index=index, encoder="c2v-mini")
    return check(index)


def test_there_are_enough_sentences_and_their_sources_are_in_the_contexts(checked):
    assert sum(each.is_supported for each in checked) >= 60
    assert sum(not each.is_supported for each in checked) >= 60
    assert len({each.sentence for each in checked}) == len(checked)
    assert all(each.source_found for each in checked)


def test_verdicts_are_right_more_often_than_not(checked):
    for half in halves(checked):
        assert accuracy(half) > 0.76
        assert area(half) > 0.78


@pytest.mark.parametrize(("kind", "least"), [("paraphrase", 0.75), ("number", 0.9), ("topic", 1.0), ("negation", 0.4)])
def test_what_each_kind_comes_to(checked, kind, least):
    assert accuracy([each for each in checked if each.kind == kind]) >= least


def test_supported_sentences_are_found_in_the_right_file(checked):
    good = [each for each in checked if each.is_supported]
    assert sum(each.source_cited for each in good) / len(good) > 0.88
