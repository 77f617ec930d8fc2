"""Words to terms, language by language, against stems written by hand."""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.index import analysis
from c2vsearch.index.analysis import (
    LANGUAGES,
    analysis_name,
    indexed_terms,
    is_lookup,
    query_terms,
    query_words,
    tantivy,
    terms_of,
    unaccented,
)  # fmt: skip
from tests.index.many_languages import TEXTS


def words_of(text: str, *languages: str) -> list[dict[str, str]]:
    return [dict(word) for word in query_words(text, languages=languages)]


@pytest.mark.parametrize(
    ("language", "words", "terms"),
    [
        ("ar", "الكتاب كِتَاب كتاب", "كتاب كتاب كتاب"),
        ("da", "færgerne færger huset huse", "faerg faerg hus hus"),
        ("de", "Häuser Haus Straße STRASSE Münchens Muenchen", "haus haus strass strass munch munch"),
        ("el", "ΘΆΛΑΣΣΑ θάλασσας θάλασσα θαλασσα", "θαλασσ θαλασσ θαλασσ θαλασσ"),
        ("en", "ferries ferry cafés running runs", "ferri ferri cafe run run"),
        ("es", "naciones nación educación educacion barcos", "nacion nacion educ educ barc"),
        ("fi", "kirjoja kirja satamassa", "kirj kirj satam"),
        ("fr", "chevaux cheval l'eau d’une établissements", "cheval cheval l eau d une etabl"),
        ("hu", "hajók hajó könyvek könyv", "hajo hajo konyv konyv"),
        ("it", "traghetti traghetto dell'acqua", "traghett traghett dell acqua"),
        ("nl", "boten scholen school", "boot school school"),
        ("no", "fergene ferger bøkene", "ferg ferg bok"),
        ("pt", "navios navio informações informação", "navi navi inform inform"),
        ("ro", "bilete bilet cărți carte", "bilet bilet cart cart"),
        ("ru", "КНИГИ книга ёлки елки", "книг книг елк елк"),
        ("sv", "färjorna färja biljetter biljett", "farj farj biljet biljet"),
        ("ta", "மரங்கள்", "மரங்"),
        ("tr", "kitaplar KİTAP kitabı IŞIKLAR ışık İstanbul'da", "kitap kitap kitap isik isik istanbul da"),
        ("xx", "Statki łódź", "statki lodz"),
    ],
)  # fmt: skip
def test_terms(language: str, words: str, terms: str) -> None:
    assert " ".join(terms_of(words, language=language)) == terms


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("wann fährt die Fähre zur Insel", ["fährt", "Fähre", "Insel"]),
        ("quand part le bateau pour l'île", ["part", "bateau", "île"]),
        ("cuándo sale el barco para la isla", ["sale", "barco", "isla"]),
        ("когда уходит корабль на остров", ["уходит", "корабль", "остров"]),
        ("wanneer vertrekt de boot naar het eiland", ["vertrekt", "boot", "eiland"]),
        ("πότε φεύγει το πλοίο για το νησί", ["φεύγει", "πλοίο", "νησί"]),
        ("gemi ne zaman ve nereden kalkar", ["gemi", "zaman", "nereden", "kalkar"]),
        ("unde este nava pentru insulă și când", ["nava", "insulă"]),
        ("when does the ferry leave for the island", ["ferry", "leave", "island"]),
        ("ποιος", ["ποιος"]), ("wo und wann", ["wo", "und", "wann"]),
    ],
)  # fmt: skip
def test_stop_words_of_a_language_are_left_out_of_its_questions(text: str, left: list[str]) -> None:
    language = analysis.language_of(text)
    assert list(query_terms(text)) == [terms_of(word, language=language)[0] for word in left]


def test_a_word_is_one_word_whatever_it_is_in_other_languages() -> None:
    assert words_of("Brücken", "de", "en") == [{"de": "bruck", "en": "brucken"}]
    assert words_of("hard", "de") == [{"de": "hard"}]
    counted = query_words("Häuser häuser hauser", languages=["de", "en"])
    assert counted == {(("de", "haus"), ("en", "hauser")): 3}


def test_a_stop_word_is_one_in_its_own_language() -> None:
    assert words_of("die hard", "de", "en") == [{"en": "die"}, {"de": "hard", "en": "hard"}]
    # Here the language is clear, so that "die" and "von" are no words to look for in English texts.
    assert words_of("was ist die Hauptstadt von Frankreich", "de", "en") == [
        {"de": "hauptstadt", "en": "hauptstadt"}, {"de": "frankreich", "en": "frankreich"},
    ]  # fmt: skip
    # And here it is no language of the index.
    assert words_of("der the", "en") == [{"en": "der"}]


def test_a_question_of_stop_words_alone_is_looked_for() -> None:
    assert words_of("to be", "en", "de") == [{"en": "to", "de": "to"}, {"en": "be", "de": "be"}]


def test_lookups_in_other_languages() -> None:
    assert is_lookup("Straße München")
    assert not is_lookup("wer ist Jools")
    assert not is_lookup("où est Marie")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_is_found_as_it_stands_and_without_its_accents(language: str) -> None:
    for text in TEXTS.get(language, TEXTS["de"] + TEXTS["tr"]):
        held = set(indexed_terms(text, language=language))
        for word in text.split():
            capitals = (word.replace("i", "\u0130") if language == "tr" else word).upper()
            for spelled in (word, unaccented(word), capitals):
                assert set(terms_of(spelled, language=language)) <= held, spelled


def test_few_words_have_a_second_form() -> None:
    assert indexed_terms("la sécurité privée", language="fr") == ["la", "secur", "securit", "priv", "prive"]
    texts = [(language, text) for language in LANGUAGES for text in TEXTS.get(language, [])]
    more = sum(len(indexed_terms(text, language=name)) - len(terms_of(text, language=name)) for name, text in texts)
    assert 0 < more < 0.06 * sum(len(terms_of(text)) for _, text in texts)


@functools.cache
def by_regex():
    """The definition of a word, for every script."""
    engine = tantivy()
    return engine.TextAnalyzerBuilder(engine.Tokenizer.regex(r"[\p{Alphabetic}\p{M}\p{N}]+")).build()


PLAIN = st.characters(exclude_categories=("Cs",), max_codepoint=0xFFFF)


@given(st.text(PLAIN, max_size=60))
def test_the_quick_tokenizer_cuts_as_the_thorough_one(text: str) -> None:
    whole = analysis.prepared(text)
    assert list(analysis._words(whole).analyze(whole)) == list(by_regex().analyze(whole))


def test_the_quick_tokenizer_cuts_each_character_as_the_thorough_one() -> None:
    quick = analysis._word_tokenizer(quick=True)
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    plain = [char for char in characters if not analysis._MARKED.search(char)]
    assert len(plain) > 40_000
    text = " ".join(f"a{char}b" for char in plain)
    assert list(quick.analyze(text)) == list(by_regex().analyze(text))


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40), st.sampled_from(LANGUAGES))
def test_any_text_has_terms_in_any_language(text: str, language: str) -> None:
    terms = terms_of(text, language=language)
    assert not Counter(terms) - Counter(indexed_terms(text, language=language))
    assert all(not set(term) & set(" \t\n") for term in terms)
    counted = query_words(text, languages=LANGUAGES)
    assert bool(counted) == bool(terms_of(text))
    assert sum(counted.values()) <= len(terms_of(text))


def test_the_name_of_the_analysis_knows_the_stemmers(monkeypatch: pytest.MonkeyPatch) -> None:
    name = analysis_name()
    assert name.startswith(analysis.ANALYSIS)
    monkeypatch.setattr(analysis, "_stem", lambda word, language: word)
    assert analysis_name.__wrapped__() != name
