"""How text becomes the terms of the keyword index, and a query the same terms.

Words are runs of letters, marks and digits (so ``max_tokens`` is two words, and so is ``l'eau``), in lower case, cut to
their stems by the rules of the text's language, then without accents. Scripts that write no spaces become pairs of
neighbouring characters. A term carries its language, because the same letters are other words elsewhere: German "die"
is no English death. A query is not told a language: each of its words becomes a term in every language asked about.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from c2vsearch.index.function_words import STEMMED
from c2vsearch.index.languages import NO_STEMS, USUAL, language_of
from c2vsearch.optional import require
from c2vsearch.records import Chunk

# Whoever changes how text becomes terms changes this name: an index of another analysis is refused by it.
ANALYSIS = "words-nfkc-stem-by-language-fold-cjk-bigrams-3"
MAX_QUERY_TERMS = 512
LOOKUP_WORDS = 3
CACHED_WORDS = 1 << 16
MAX_WORD_BYTES = 129  # the hex digits of a SHA-512 are still a word; a longer run is data, not language

Word = tuple[tuple[str, str], ...]  # what a word of a query is in each language: (language, term)

_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
LANGUAGES = (*_STEMMERS, NO_STEMS)
# English has the list that its questions were measured with; for these five tantivy has none.
_OWN_LIST_ONLY = frozenset(("ar", "el", "en", "ro", "ta", "tr"))
# Words whose stems tell one version of the stemmers from another.
_PROBES = (
    "ferries running generously Häuser Muenchen Versicherungen chevaux établissements amoureuse naciones "
    "educacion cantando informações navios traghetti libertà scholen huizen færgerne bøkene färjorna kirjoissa "
    "házakban asigurărilor kitaplarımız ışıklar βιβλιοθήκες книгами الكتابات மரங்கள்"
)

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)

# Whatever may be a mark: all but Latin, Greek, Cyrillic, Arabic, Kana, Han, Hangul, and punctuation.
_MARKED = re.compile(
    "[^\x00-\u02ff\u0370-\u0482\u048a-\u052f\u060c\u061b\u061f-\u064a\u0660-\u066f\u0671-\u06d5\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf"
    "\u3000-\u3007\u3041-\u3096\u30a1-\u30fe\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]"
)
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")  # Latin letters


def prepared(text: str, *, language: str = USUAL) -> str:
    """Text for a word tokenizer: compatible forms made equal, case folded, unspaced runs cut into bigrams.

    >>> prepared("The \u65e5\u672c\u8a9e page") == "the  \u65e5\u672c \u672c\u8a9e  page"
    True
    """
    return _folded(_spaced(text), language)


def _spaced(text: str) -> str:
    if text.isascii():
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates: tantivy takes UTF-8 alone
    return _UNSPACED.sub(_bigrams, unicodedata.normalize("NFKC", whole))


def _folded(text: str, language: str) -> str:
    if language == "tr":  # where a capital I has no dot, and a capital \u0130 is its other letter
        text = text.replace("I", "\u0131").replace("\u0130", "i")
    return text.casefold().replace("i\u0307", "i")  # what becomes of a capital \u0130 elsewhere


def _bigrams(match: re.Match[str]) -> str:
    run = match.group()
    pairs = [run[start : start + 2] for start in range(len(run) - 1)] or [run]
    return f" {' '.join(pairs)} "


def terms_of(text: str, *, language: str = USUAL) -> list[str]:
    """All the terms of a text, as often as it has them and in order: stop words are among them.

    >>> terms_of("How do the Ferries run?"), terms_of("Die alten Häuser", language="de")
    (['how', 'do', 'the', 'ferri', 'run'], ['die', 'alt', 'haus'])
    """
    return [_stem(word, language) for word in _prepared_words(text, language)]


def indexed_terms(text: str, *, language: str) -> list[str]:
    """The terms a text is found by: its own, and what its accented words become when they are typed without accents.

    Endings are often known by their accents, so that the two may have other stems.

    >>> indexed_terms("la sécurité", language="fr"), terms_of("securite", language="fr")
    (['la', 'secur', 'securit'], ['securit'])
    """
    return [form for word in _prepared_words(text, language) for form in _forms(word, language)]


def unaccented(text: str) -> str:
    """A text with its Latin letters as they are without accents."""
    return " ".join(_accents_off().analyze(_spaced(text)))


def tagged(terms: Sequence[str], *, language: str) -> str:
    """Terms as the index has them: marked with their language, with spaces between.

    >>> tagged(["alt", "haus"], language="de")
    'de:alt de:haus'
    """
    return f"{language}:{f' {language}:'.join(terms)}" if terms else ""


def language_of_chunk(chunk: Chunk) -> str:
    """The language a chunk's words are stemmed in: that of its text, with title and headings where it is short."""
    return language_of(" ".join((chunk.text, chunk.title, *chunk.heading_path)))


def query_words(text: str, *, languages: Sequence[str]) -> Counter[Word]:
    """The words of a query, each as what it is in some languages, and how often they occur, in order.

    A word is left out in a language in which it is a stop word. What is one in the query's own language, or in English
    where that cannot be told, is left out in all. When nothing would be left, nothing is left out.

    >>> list(query_words("die Brücken", languages=["de", "en"]))
    [(('de', 'bruck'), ('en', 'brucken'))]
    >>> list(query_words("die hard", languages=["de", "en"]))
    [(('en', 'die'),), (('de', 'hard'), ('en', 'hard'))]
    """
    spelled = _spelled(text)
    told = language_of(text)
    everywhere = _stop_words(spelled, told if told in languages else USUAL)
    columns = [_in_language(spelled, language, everywhere) for language in languages]
    counts = Counter(word for column in zip(*columns, strict=True) if (word := tuple(filter(None, column))))
    if not counts:
        columns = [_in_language(spelled, language, None) for language in languages]
        counts = Counter(tuple(filter(None, column)) for column in zip(*columns, strict=True))
    # A query as long as a book is cut to its most frequent words.
    return counts if len(counts) <= MAX_QUERY_TERMS else Counter(dict(counts.most_common(MAX_QUERY_TERMS)))


def query_terms(text: str, *, language: str | None = None) -> Counter[str]:
    """The terms of a query in one language, told by its words where none is said, and how often each occurs, in order.

    Stop words are left out unless there is nothing else.

    >>> query_terms("How do the ferries run? Ferries!")
    Counter({'ferri': 2, 'run': 1})
    """
    words = query_words(text, languages=[language or language_of(text)])
    return Counter({term: count for ((_, term),), count in words.items()})


def is_lookup(text: str) -> bool:
    """Whether a query only names something, a term, a person, an error code: a few words, none of them a stop word.

    >>> is_lookup("Jools Pemberton"), is_lookup("who is Jools Pemberton?"), is_lookup("wer ist Jools Pemberton?")
    (True, False, False)
    """
    words = _spelled(text)
    return len(words) <= LOOKUP_WORDS and not any(_stop_words(words, language_of(text)))


@functools.cache
def analysis_name() -> str:
    """`ANALYSIS` and a digest of what the engine's stemmers do, which may change with its version."""
    stems = [terms_of(f"{_PROBES} {words}", language=language) for language, words in STEMMED.items()]
    return f"{ANALYSIS}-{hashlib.sha256(repr(stems).encode()).hexdigest()[:8]}"


def _in_language(words: Sequence[str], language: str, stopped: Sequence[bool] | None) -> list[tuple[str, str] | None]:
    """Each word as a term of a language, None for stop words; nothing is stopped when ``stopped`` is None."""
    folded = [_folded(word, language) for word in words]
    terms = [(language, _stem(word, language)) for word in folded]
    if stopped is None:
        return list(terms)
    own = _stop_words(words, language)
    return [None if out or also else term for term, out, also in zip(terms, stopped, own, strict=True)]


def _stop_words(words: Sequence[str], language: str) -> list[bool]:
    """Which of the words are stop words of a language."""
    folded = [_folded(word, language) for word in words]
    listed = _listed(language)
    if language in _OWN_LIST_ONLY or language == NO_STEMS:
        return [word in listed for word in folded]
    kept = set(_without_stop_words(language).analyze(" ".join(folded)))
    return [word in listed or word not in kept for word in folded]


@functools.cache
def _listed(language: str) -> frozenset[str]:
    return frozenset(_folded(STEMMED.get(language, ""), language).split())


def _spelled(text: str) -> list[str]:
    """The words of a text as they are written."""
    return list(_words(text).analyze(_spaced(text)))


def _prepared_words(text: str, language: str) -> list[str]:
    return list(_words(text).analyze(prepared(text, language=language)))


@functools.lru_cache(maxsize=CACHED_WORDS)
def _forms(word: str, language: str) -> tuple[str, ...]:
    term = _stem(word, language)
    if language in (USUAL, NO_STEMS) or not _ACCENTED.search(word):
        return (term,)
    plain = _stem(unaccented(word), language)
    return (term,) if plain == term else (term, plain)


@functools.lru_cache(maxsize=CACHED_WORDS)
def _stem(word: str, language: str) -> str:
    return str(_stemmer(language).analyze(word)[0])


def _words(text: str) -> Any:
    """The tokenizer for a text: both cut it alike, but the quick one would cut words at marks."""
    return _word_tokenizer(quick=text.isascii() or not _MARKED.search(text))


@functools.cache
def _word_tokenizer(*, quick: bool) -> Any:
    engine = tantivy()
    words = engine.Tokenizer.simple() if quick else engine.Tokenizer.regex(r"[\p{Alphabetic}\p{M}\p{N}]+")
    return engine.TextAnalyzerBuilder(words).filter(engine.Filter.remove_long(MAX_WORD_BYTES)).build()


@functools.cache
def _stemmer(language: str) -> Any:
    """A word to its stem. Accents tell endings apart; in English, where many words have lost theirs, they go first."""
    engine = tantivy()
    word = engine.TextAnalyzerBuilder(engine.Tokenizer.raw())
    if language == NO_STEMS:
        return word.filter(engine.Filter.ascii_fold()).build()
    steps = engine.Filter.stemmer(_STEMMERS[language]), engine.Filter.ascii_fold()
    first, second = reversed(steps) if language == USUAL else steps
    return word.filter(first).filter(second).build()


@functools.cache
def _accents_off() -> Any:
    engine = tantivy()
    return engine.TextAnalyzerBuilder(engine.Tokenizer.whitespace()).filter(engine.Filter.ascii_fold()).build()


@functools.cache
def _without_stop_words(language: str) -> Any:
    engine = tantivy()
    words = engine.TextAnalyzerBuilder(engine.Tokenizer.whitespace())
    return words.filter(engine.Filter.stopword(_STEMMERS[language])).build()


def tantivy() -> ModuleType:
    """The engine, imported when it is first used."""
    return require("tantivy", extra="cpu", purpose="keyword search")
