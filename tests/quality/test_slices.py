"""No kind of question is answered worse by both legs together than by one of them.

`python benchmarks/slices.py` prints the figures of each set in each mode.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import pytest

from c2vsearch import load_encoder
from c2vsearch.errors import InvalidDataset
from c2vsearch.evaluation import Comparison, Evaluation, compare
from c2vsearch.index.analysis import query_terms, terms_of
from tests.quality.slices import FOLDER, MEASURE, MODES, NAMES, comparisons, is_below, measure_slice, read_slice

pytest.importorskip("ir_measures")
MOST_BYTES = 700_000
LANGUAGES = set("de fr es it pt nl pl ru el tr ar hi zh ja ko th".split())
SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "DEVANAGARI", "CJK", "HIRAGANA", "HANGUL", "THAI"}
NEGATION = re.compile(r"\b(not|no|nobody|never|cannot|without|leaves out|exempt|unsuitable|\w+less)\b")
UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff]")


@pytest.fixture(scope="session")
def slices():
    return {name: read_slice(name) for name in NAMES}


@pytest.fixture(scope="session")
def measured(slices, tmp_path_factory):
    encoder, place = load_encoder("c2v-mini"), tmp_path_factory.mktemp("slices")
    return {name: measure_slice(found, place / name, encoder=encoder) for name, found in slices.items()}


def words(text):
    """About how many; a word of scripts without spaces is taken for two characters."""
    unspaced = len(UNSPACED.findall(text))
    return len(UNSPACED.sub(" ", text).split()) + unspaced // 2


@pytest.mark.parametrize("name", NAMES)
def test_hybrid_is_not_below_a_leg(measured, name):
    below = {leg: found for leg, found in comparisons(measured[name]).items() if is_below(found)}
    assert not below, {mode: measured[name][mode].mean(MEASURE) for mode in MODES}


@pytest.mark.parametrize("name", NAMES)
def test_no_leg_solves_a_set_alone(measured, name):
    for leg in ("bm25", "dense"):
        assert measured[name][leg].mean(MEASURE) < 0.95


def test_keywords_do_not_find_a_paraphrase(slices, measured):
    found = slices["paraphrase"]
    texts = {document.id: f"{document.title} {document.text}" for document in found.documents}
    for key, question in found.questions.queries.items():
        for answer in found.questions.qrels[key]:
            assert not set(query_terms(question)) & set(terms_of(texts[answer])), question
    assert set(measured["paraphrase"]["bm25"].values[MEASURE]) == {0.0}


@pytest.mark.parametrize("name", NAMES)
def test_sets_are_large_enough(slices, name):
    found = slices[name]
    least, shortest, longest = (24, 800, 2500) if name == "long-document" else (60, 40, 200)
    assert len(found.documents) >= least
    assert len(found.questions.queries) >= 40
    assert all(shortest <= words(document.text) <= longest for document in found.documents)


def test_the_files_stay_small():
    assert sum((FOLDER / f"{name}.jsonl").stat().st_size for name in NAMES) < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_there_twice(slices, name):
    found = slices[name]
    asked = [question.casefold() for question in found.questions.queries.values()]
    assert len(set(asked)) == len(asked)
    texts = [document.text.casefold().split() for document in found.documents]
    runs = Counter(tuple(text[start : start + 10]) for text in texts for start in range(len(text) - 9))
    assert [run for run, count in runs.items() if count > 1] == []


def test_short_queries_are_short(slices):
    assert all(len(question.split()) <= 3 for question in slices["short-query"].questions.queries.values())


def test_negations_negate(slices):
    assert all(NEGATION.search(question) for question in slices["negation"].questions.queries.values())


def test_there_are_many_languages(slices):
    found = slices["multilingual"]
    counts = Counter(document.id.partition("-")[0] for document in found.documents)
    assert set(counts) == LANGUAGES
    assert min(counts.values()) >= 3
    letters = {letter for document in found.documents for letter in document.text if letter.isalpha()}
    assert {unicodedata.name(letter).split()[0] for letter in letters} >= SCRIPTS


def test_answers_lie_deep_in_long_documents(slices):
    found = slices["long-document"]
    texts = {document.id: document.text.casefold() for document in found.documents}
    assert set(found.evidence) == set(found.questions.queries)
    for key, evidence in found.evidence.items():
        answers = [texts[answer] for answer, grade in found.questions.qrels[key].items() if grade == 2]
        places = [text.index(evidence.casefold()) / len(text) for text in answers if evidence.casefold() in text]
        assert len(places) == 1, evidence
        assert places[0] > 0.15, evidence


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ('{"document": "a", "title": "A", "text": "again"}', "comes again"),
        ('{"document": "b", "title": "B"}', "text is None"),
        ('{"question": "what?"}', "expected answers"),
        ('{"question": "what?", "answers": {"a": 1}}', "grade 2 among them"),
        ('{"question": "what?", "answers": {"a": 2, "b": 1}}', "'b' with grade 1"),
        ('{"question": "what?", "answers": {"a": 2, "a2": 3}}', "expected a document"),
        ('{"question": " what?", "answers": {"a": 2}}', "without space"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    first = '{"document": "a", "title": "A", "text": "some"}\n{"document": "a2", "title": "A", "text": "more"}\n'
    (tmp_path / "broken.jsonl").write_text(f"{first}{line}\n", encoding="utf-8")
    with pytest.raises(InvalidDataset, match=rf"broken\.jsonl line 3: .*{re.escape(message)}"):
        read_slice("broken", folder=tmp_path)


def test_what_counts_as_below():
    def against(first, second):
        queries = tuple(map(str, range(len(first))))
        return compare(*(Evaluation("", queries, {MEASURE: tuple(given)}) for given in (first, second)), MEASURE)

    assert not is_below(against([0.5] * 40, [0.5] * 40))
    assert not is_below(against([0.9] * 40, [0.1] * 40))
    assert is_below(against([0.5] * 40, [0.6] * 40))
    assert is_below(against([0.59] * 40, [0.6] * 40))  # little, and on every question
    assert not is_below(against([0.9] * 20 + [0.1] * 20, [0.1] * 20 + [0.91] * 20))  # little, and by chance
    assert is_below(Comparison("", "", MEASURE, -0.03, 0.4, 0.4))
