"""How text becomes the terms of the keyword index, and a query the same terms.

Words are runs of letters, marks and digits (so ``max_tokens`` is two words), folded to lower case without accents
and stemmed as English. Scripts that write no spaces become pairs of neighbouring characters.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from types import ModuleType
from typing import Any

from c2vsearch.optional import require

# Whoever changes how text becomes terms changes this name: an index of another analysis is refused by it.
ANALYSIS = "words-nfkc-fold-stem-en-cjk-bigrams-2"
MAX_QUERY_TERMS = 512
LOOKUP_WORDS = 3
MAX_WORD_BYTES = 129  # the hex digits of a SHA-512 are still a word; a longer run is data, not language

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_STOP_WORDS = frozenset(
    "a about am an and any are as at be been being but by can could did do does doing for from had has have having he "
    "her him his how i if in into is it its just may me might must my no not of on or our shall she should so some "
    "such than that the their them then there these they this those to too us very was we were what when where "
    "whether which who whom whose why will with would you your".split()
)


def prepared(text: str) -> str:
    """Text for a word tokenizer: compatible forms made equal, case folded, unspaced runs cut into bigrams.

    >>> prepared("The \u65e5\u672c\u8a9e page") == "the  \u65e5\u672c \u672c\u8a9e  page"
    True
    """
    if text.isascii():
        return text.lower()
    whole = text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates: tantivy takes UTF-8 alone
    folded = unicodedata.normalize("NFKC", whole).casefold()
    return _UNSPACED.sub(_bigrams, folded)


def _bigrams(match: re.Match[str]) -> str:
    run = match.group()
    pairs = [run[start : start + 2] for start in range(len(run) - 1)] or [run]
    return f" {' '.join(pairs)} "


def query_terms(text: str) -> Counter[str]:
    """The terms of a query and how often each occurs, in order, without stop words unless there is nothing else.

    >>> query_terms("How do the ferries run? Ferries!")
    Counter({'ferri': 2, 'run': 1})
    """
    words = _words().analyze(prepared(text))
    kept = [word for word in words if word not in _STOP_WORDS] or words
    counts = Counter(_terms().analyze(" ".join(kept)))
    # A query as long as a book is cut to its most frequent terms.
    return counts if len(counts) <= MAX_QUERY_TERMS else Counter(dict(counts.most_common(MAX_QUERY_TERMS)))


def terms_of(text: str) -> list[str]:
    """All the terms of a text, as often as it has them and in order: stop words are among them.

    >>> terms_of("How do the Ferries run?")
    ['how', 'do', 'the', 'ferri', 'run']
    """
    return list(_terms().analyze(prepared(text)))


def is_lookup(text: str) -> bool:
    """Whether a query only names something, a term, a person, an error code: a few words, none of them a stop word.

    >>> is_lookup("Jools Pemberton"), is_lookup("who is Jools Pemberton?")
    (True, False)
    """
    words = _words().analyze(prepared(text))
    return len(words) <= LOOKUP_WORDS and not any(word in _STOP_WORDS for word in words)


def terms_analyzer() -> Any:
    """The analyzer for tantivy's index: `prepared` text to terms."""
    return _terms()


@functools.cache
def _words() -> Any:
    return _builder().build()


@functools.cache
def _terms() -> Any:
    steps = tantivy().Filter
    return _builder().filter(steps.ascii_fold()).filter(steps.stemmer("english")).build()


def _builder() -> Any:
    engine = tantivy()
    words = engine.Tokenizer.regex(r"[\p{Alphabetic}\p{M}\p{N}]+")
    return engine.TextAnalyzerBuilder(words).filter(engine.Filter.remove_long(MAX_WORD_BYTES))


def tantivy() -> ModuleType:
    """The engine, imported when it is first used."""
    return require("tantivy", extra="cpu", purpose="keyword search")
