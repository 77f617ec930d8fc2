"""Phrases, exclusions and highlights in other languages than English, through the front door."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.records import Chunk
from c2vsearch.search.highlight import best_sentences
from c2vsearch.search.phrases import has_phrase

NOTES = {
    "de": "Die alten Häuser an der Straße gehören der Gemeinde. Ihre Mieter können bis zum Monatsende kündigen.",
    "de2": "Der alte Hafen hat neue Fähren. In dem Haus am Kai werden die Fahrkarten verkauft.",
    "fr": "Les établissements de la région sont fermés. L'assurance de l'école couvre les élèves pendant les vacances.",
    "fr2": "La région est connue pour ses vieilles écoles et pour ses assurances.",
    "es": "Las declaraciones anuales se presentan en marzo. La asociación guarda los libros antiguos.",
    "en": "The old houses beside the road belong to the parish. Their tenants may give notice until the end of the month.",
    "ja": "東京都庁の営業時間は午前九時からです。入館は無料です。",
}  # fmt: skip


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    place = tmp_path_factory.mktemp("languages")
    (place / "docs").mkdir()
    for name, text in NOTES.items():
        (place / "docs" / f"{name}.md").write_text(text + "\n")
    index_directory(place / "docs", index=place / "index", encoder="hash")
    return Retriever.open(place / "index")


def found(retriever: Retriever, query: str, mode: str = "bm25") -> set[str]:
    return {Path(hit.source).stem for hit in retriever.search(query, k=10, mode=mode)}


@pytest.mark.parametrize(
    ("query", "sources"),
    [
        ('"altes Haus"', {"de"}), ('"alte Häuser" Hafen', {"de"}), ('"STRASSE gehören"', {"de"}), ('"Haus am Kai"', {"de2"}),
        ("\"l'assurance du\"", set()), ('"assurances de l’ecole"', {"fr"}), ('"old house"', {"en"}),
        ('"declaracion anual"', {"es"}), ('"libro antiguo"', {"es"}), ('"営業時間"', {"ja"}),
    ],
)  # fmt: skip
def test_phrases(retriever: Retriever, query: str, sources: set[str]) -> None:
    assert found(retriever, query) == sources


@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
@pytest.mark.parametrize(
    ("excluded", "sources"),
    [
        ("-Haus", {"de", "de2"}), ("-häusern", {"de", "de2"}), ('-"altes Haus"', {"de"}), ("-école", {"fr", "fr2"}),
        ("-ecoles", {"fr", "fr2"}), ("-houses", {"en"}), ("-libros", {"es"}), ("-営業", {"ja"}),
    ],
)  # fmt: skip
def test_exclusions(retriever: Retriever, mode: str, excluded: str, sources: set[str]) -> None:
    words = "alt Häuser école region libro houses 営業時間 Haus"
    everything = found(retriever, words, mode)
    assert sources <= everything
    assert found(retriever, f"{words} {excluded}", mode) == everything - sources


def test_one_query_in_several_languages(retriever: Retriever) -> None:
    assert found(retriever, "Kündigung Mieter tenant declaración") == {"de", "en", "es"}


@pytest.mark.parametrize(
    ("text", "query", "start"),
    [
        (NOTES["de"], "wann kann ein Mieter kündigen", "Ihre Mieter"),
        (NOTES["de"], "Haus Strasse", "Die alten"),
        (NOTES["fr"], "quelles assurances pour un élève", "L'assurance"),
        (NOTES["fr"], "etablissement ferme", "Les établissements"),
        (NOTES["es"], "¿qué asociaciones tienen un libro?", "La asociación"),
        (NOTES["en"], "when may a tenant give notice", "Their tenants"),
        ("Корабли уходят утром. Билеты нужно купить за день, они есть в порту.", "где купить билет", "Билеты"),
        ("Gemiler sabah kalkar. Biletler bir gün önce alınır ve bu kadar.", "bilet için", "Biletler"),
    ],
)  # fmt: skip
def test_the_sentence_that_answers(text: str, query: str, start: str) -> None:
    [span] = best_sentences([text], query)
    assert span is not None
    assert text[span[0] : span[1]].startswith(start)


def test_sentences_of_hits_in_two_languages() -> None:
    german, english = best_sentences([NOTES["de"], NOTES["en"]], "Mieter tenant")
    assert german is not None
    assert english is not None
    assert NOTES["de"][slice(*german)].startswith("Ihre Mieter")
    assert NOTES["en"][slice(*english)].startswith("Their tenants")


def test_a_phrase_in_a_heading_of_another_language() -> None:
    chunk = Chunk("", "", "", 0, 0, NOTES["de"], 1, 1, title="Alte Häuser", heading_path=("Rental terms",))
    assert has_phrase(chunk, "alte haus")
    assert has_phrase(chunk, "rental terms")
    assert not has_phrase(chunk, "terms alte")
