"""One keyword index of texts in eighteen languages: what is found, and with which score."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.index.analysis import indexed_terms, language_of_chunk, query_words
from c2vsearch.index.lexical import HEADING_BOOST, LexicalIndex, write_version
from c2vsearch.records import Chunk
from tests.index.many_languages import QUESTIONS, TEXTS

EMPTY = Chunk(id="", doc_id="", source="", start=0, end=0, text="", start_line=1, end_line=1)
DOCUMENTS = {
    f"{language}:{number}": dataclasses.replace(EMPTY, text=text)
    for language, texts in TEXTS.items()
    for number, text in enumerate(texts)
}


def build(directory: Path, documents: dict[str, Chunk]) -> LexicalIndex:
    write_version(directory, previous=[], added=documents.items(), removed=[])
    return LexicalIndex(sorted(directory.iterdir()))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    return build(tmp_path_factory.mktemp("words") / "a", DOCUMENTS)


def bm25(documents: dict[str, Chunk], query: str) -> dict[str, float]:
    """The formula, in which a word is as rare as all its terms together and counts once in a text."""
    told = {key: language_of_chunk(chunk) for key, chunk in documents.items()}
    heads = {
        key: indexed_terms(" ".join((c.title, *c.heading_path)), language=told[key]) for key, c in documents.items()
    }
    bodies = {key: heads[key] + indexed_terms(c.text, language=told[key]) for key, c in documents.items()}
    scores: Counter[str] = Counter()
    for field, boost in ((bodies, 1.0), (heads, HEADING_BOOST)):
        mean = sum(map(len, field.values())) / len(field)
        for word, times in query_words(query, languages=sorted(set(told.values()))).items():
            term = dict(word)
            tfs = {key: field[key].count(term[told[key]]) for key in field if told[key] in term}
            having = sum(tf > 0 for tf in tfs.values())
            weight = math.log(1 + (len(field) - having + 0.5) / (having + 0.5))
            for key, tf in tfs.items():
                if tf:
                    norm = 1.2 * (1 - 0.75 + 0.75 * len(field[key]) / mean)
                    scores[key] += boost * times * weight * tf * 2.2 / (tf + norm)
    return dict(scores)


@pytest.mark.parametrize(("language", "question", "number"), QUESTIONS)
def test_inflected_words_are_found(index: LexicalIndex, language: str, question: str, number: int) -> None:
    found = index.search(question, k=5)
    assert found
    assert found[0][0] == f"{language}:{number}"


def test_the_index_knows_its_languages(index: LexicalIndex, tmp_path: Path) -> None:
    assert set(index.languages) == {language_of_chunk(chunk) for chunk in DOCUMENTS.values()}
    assert set(index.languages) >= set(TEXTS) - {"no"}
    english = {key: chunk for key, chunk in DOCUMENTS.items() if key.startswith("en")}
    assert build(tmp_path / "en", english).languages == ("en",)


def test_scores_are_bm25_of_words_not_of_stems(tmp_path: Path) -> None:
    chance = random.Random(3)
    texts = [text for language in ("de", "en", "fr", "tr") for text in TEXTS[language]]
    documents = {}
    for number in range(60):  # tantivy knows lengths of up to 40 exactly
        words = " ".join(chance.choices(texts, k=2)).split()[: chance.randint(10, 30)]
        title = chance.choice(["", "Die Häuser", "books"])
        documents[f"{number}"] = dataclasses.replace(EMPTY, text=" ".join(words), title=title)
    index = build(tmp_path / "a", documents)
    for query in (
        "Häuser",
        "house haus",
        "die hard",
        "books Bücher kitap livre",
        "bateau bateau port",
        "Fähre für Äpfel",
    ):
        expected = bm25(documents, query)
        assert dict(index.search(query, k=1000)) == pytest.approx(expected, rel=1e-4), query
        assert index.scores(query, list(documents)) == pytest.approx(
            {key: expected.get(key, 0.0) for key in documents}, rel=1e-4
        )


def test_a_word_that_is_rare_in_one_language_is_no_better_a_word(tmp_path: Path) -> None:
    """The word stands in every German text and in one French one: there it is worth what it is in the others."""
    german = {
        f"de{n}": dataclasses.replace(EMPTY, text=f"Das Hotel und der Garten sind nicht weit {n}") for n in range(30)
    }
    french = {
        f"fr{n}": dataclasses.replace(EMPTY, text=f"Le jardin est dans la ville et les rues {n}") for n in range(30)
    }
    french["fr0"] = dataclasses.replace(EMPTY, text="Le hotel est dans la ville et les rues 0")
    index = build(tmp_path / "a", german | french)
    scores = dict(index.search("hotel", k=100))
    assert len(scores) == 31
    assert max(scores.values()) < 1.1 * min(scores.values())


def test_no_score_is_above_the_ceiling(index: LexicalIndex) -> None:
    for _, question, _ in QUESTIONS:
        best = index.search(question, k=1)[0][1]
        assert 0 < best < index.ceiling(question) * (1 + HEADING_BOOST)


def test_the_ceiling_knows_words_not_stems(index: LexicalIndex) -> None:
    documents = len(DOCUMENTS)
    unknown = 2.2 * math.log(1 + (documents + 0.5) / 0.5)
    assert index.ceiling("zzzz") == pytest.approx(unknown)
    assert index.ceiling("zzzz yyyy zzzz") == pytest.approx(3 * unknown)


def test_all_words_of_a_phrase_stand_in_one_text(index: LexicalIndex) -> None:
    assert index.having("Häusern Strassen") == ["de:1"]
    assert index.having("Häuser ferries") == []
    assert index.having("établissement de l'eau") == ["fr:1"]
    assert index.having("établissement de l’eau") == ["fr:1"]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_deletes_and_additions_in_all_languages(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    place = tmp_path_factory.mktemp("steps")
    held = dict(chance.sample(sorted(DOCUMENTS.items()), k=30))
    write_version(place / "0", previous=[], added=held.items(), removed=[])
    for step in (1, 2):
        removed = chance.sample(sorted(held), k=8)
        added = dict(chance.sample(sorted(set(DOCUMENTS.items()) - set(held.items()), key=lambda item: item[0]), k=8))
        write_version(
            place / f"{step}", previous=sorted((place / f"{step - 1}").iterdir()), added=added.items(), removed=removed
        )
        held = {key: chunk for key, chunk in held.items() if key not in removed} | added
    index = LexicalIndex(sorted((place / "2").iterdir()))
    assert len(index) == len(held)
    for language, question, number in QUESTIONS:
        found = [key for key, _ in index.search(question, k=100)]
        assert set(found) <= set(held)
        assert (f"{language}:{number}" in found) == (f"{language}:{number}" in held)
