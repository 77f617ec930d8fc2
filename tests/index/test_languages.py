"""Telling the language: sentences written for it, English that must stay English, and languages without a stemmer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import c2vsearch
from c2vsearch.index.function_words import ALSO_TELL, LETTERS, OTHER, STEMMED
from c2vsearch.index.languages import LOOK, NO_STEMS, USUAL, language_of
from tests.index.many_languages import TEXTS

CLOSE = {"no": {"no", "da"}}  # a short Norwegian text may be Danish as well; both have much the same endings


@pytest.mark.parametrize("language", TEXTS)
def test_texts_of_each_language_are_told(language: str) -> None:
    told = [language_of(text) for text in TEXTS[language]]
    assert set(told) <= {language, NO_STEMS} | CLOSE.get(language, set())
    assert sum(name in CLOSE.get(language, {language}) for name in told) >= 2
    assert language_of(" ".join(TEXTS[language])) in CLOSE.get(language, {language})


@pytest.mark.parametrize(
    "text",
    [
        "Statek odpływa z portu codziennie rano o siódmej, a bilety trzeba kupić dzień wcześniej, bo nie ma ich na pokładzie.",
        "Loď odplouvá z přístavu každé ráno v sedm a jízdenky je třeba koupit den předem, ale ne na palubě.",
        "Loď odchádza z prístavu každé ráno o siedmej a lístky si treba kúpiť deň vopred, lebo na palube už nie sú.",
        "Brod svako jutro u sedam isplovljava iz luke, a karte se moraju kupiti dan ranije jer ih na brodu nije bilo.",
        "El vaixell surt del port cada matí a les set i els bitllets s'han de comprar el dia abans amb aquesta targeta.",
        "Kapal berangkat dari pelabuhan setiap pagi pada pukul tujuh dan tiket harus dibeli sehari sebelumnya oleh mereka.",
        "Корабель відходить із порту щоранку о сьомій, і квитки треба купувати за день, бо на борту їх не продають.",
        "Корабът тръгва от пристанището всяка сутрин в седем и билетите трябва да се купят предния ден, за да има място.",
        "کشتی هر روز صبح ساعت هفت از بندر حرکت می کند و بلیت را باید یک روز قبل خرید.",
        "Tàu rời cảng mỗi sáng lúc bảy giờ và vé phải được mua trước một ngày, không có vé cho người đi trên tàu.",
        "Laev lahkub sadamast igal hommikul kell seitse ja piletid tuleb osta päev varem, sest neid ei ole laeval.",
    ],
)  # fmt: skip
def test_a_language_without_a_stemmer_is_none_of_the_others(text: str) -> None:
    assert language_of(text) == NO_STEMS


@pytest.mark.parametrize(
    "text",
    [
        "", "...", "ERR_4711", "Jools Pemberton", "def main(): return path.join(a, b)", "Is all data biased?",
        "A N-dimensional equation (Algorithm 316[C5])", "De Morgan's laws", "東京都庁の営業時間", "La Paz hotel prices",
        "x" * 5000, "The café serves crème brûlée and a naïve jalapeño soufflé.", "Die hard, with a vengeance",
        "SELECT a, o FROM de WHERE i = 1", "Deutsche Bank and Crédit Agricole have their own terms of service",
    ],
)  # fmt: skip
def test_what_tells_no_language_counts_as_english(text: str) -> None:
    assert language_of(text) == USUAL


def test_this_package_is_english() -> None:
    """Code is the text in which a single letter or a short name looks most like a word of another language."""
    sources = [path.read_text() for path in sorted(Path(c2vsearch.__file__).parent.rglob("*.py"))]
    chunks = [
        text[start : start + 900] for text in sources if "ALSO_TELL" not in text for start in range(0, len(text), 900)
    ]
    others = [chunk for chunk in chunks if language_of(chunk) != USUAL]
    assert len(chunks) > 1000
    assert len(others) <= len(chunks) // 100


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_any_text_has_a_language(text: str) -> None:
    assert language_of(text) in {*STEMMED, NO_STEMS}


@given(st.sampled_from([text for texts in TEXTS.values() for text in texts]), st.text(max_size=50))
def test_only_the_beginning_is_looked_at(text: str, tail: str) -> None:
    whole = (text + " ") * (1 + LOOK // len(text))
    assert language_of(whole + tail) == language_of(whole)


def test_the_tables_are_well_formed() -> None:
    for table in (STEMMED, ALSO_TELL, OTHER):
        for language, words in table.items():
            listed = words.split()
            assert all(word == word.lower() for word in listed), language
    assert not set(STEMMED) & set(OTHER)
    assert set(ALSO_TELL) <= set(STEMMED)
    assert {name for names in LETTERS.values() for name in names.split()} <= set(STEMMED) | set(OTHER)
    assert all(len(letter) == 1 for letter in LETTERS)
