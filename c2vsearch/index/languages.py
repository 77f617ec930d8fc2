"""Which language a text is in, told by its script, its little words and its rare letters.

It is asked of every chunk, so it has to take microseconds. A wrong answer costs little: what a query's words become in
each language that an index holds is looked for, so that the same word is found whatever its text was taken for.
"""

from __future__ import annotations

import functools
import re

from c2vsearch.index.function_words import ALSO_TELL, LETTERS, OTHER, STEMMED

USUAL = "en"  # what a text counts as that tells no language: code, tables, names
NO_STEMS = "xx"  # all languages without a stemmer here

GLANCE, LOOK = 200, 1200  # characters: enough for most texts, and the most that is looked at
SURE, CLEAR = 5.0, 2.0  # at a glance: the least score, and how many times the second best
ONE_LETTER = 0.3
LEAST, LEAST_SHARE = 1.0, 0.05  # the least score of a language that is not the usual one; a share of the words
AHEAD = 1.2  # times the usual one

_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(f"[{''.join(LETTERS)}]")
# Of scripts that tell a language: how many of their letters say as much as a word.
_OTHER_SCRIPT = re.compile("[\u0370-\u03ff\u0600-\u06ff\u0b80-\u0bff\u1f00-\u1fff]")
_SCRIPTS = [
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), 5),
    ("ta", re.compile("[\u0b80-\u0bff]"), 5),
    ("ar", re.compile("[\u0620-\u064a]"), 10),
    ("fa", re.compile("[\u067e\u0686\u0698\u06af\u06a9\u06cc\u06d2]"), 1),
]


def language_of(text: str) -> str:
    """The code of a text's language: one that has a stemmer, `NO_STEMS` for another, `USUAL` where nothing tells.

    >>> language_of("Wann fährt die Fähre zur Insel?"), language_of("Quand part le bateau pour l'île ?")
    ('de', 'fr')
    >>> language_of("Nie wiem, kiedy odpływa prom na tę wyspę."), language_of("ERR_4711")
    ('xx', 'en')
    """
    scores, words = _scores(text[:GLANCE])
    if len(text) > GLANCE and not _is_sure(scores):
        scores, words = _scores(text[:LOOK])
    if not scores:
        return USUAL
    found = max(scores, key=scores.__getitem__)
    if scores[found] < max(LEAST, LEAST_SHARE * words, AHEAD * scores.get(USUAL, 0.0)):
        return USUAL
    return found if found in STEMMED else NO_STEMS


def _scores(text: str) -> tuple[dict[str, float], int]:
    """What speaks for each language, and how many words were read."""
    lower, telling = text.lower(), _telling()
    words = _WORD.findall(lower)
    told = [telling[word] for word in words if word in telling]
    scores: dict[str, float] = {}
    if not text.isascii():
        told += [telling[letter] for letter in set(_LETTER.findall(lower))]
    if _OTHER_SCRIPT.search(text):
        scores = {language: len(script.findall(text)) / letters for language, script, letters in _SCRIPTS}
    for languages in told:
        for language, weight in languages:
            scores[language] = scores.get(language, 0.0) + weight
    return scores, len(words)


def _is_sure(scores: dict[str, float]) -> bool:
    best, second = [*sorted(scores.values(), reverse=True), 0.0, 0.0][:2]
    return best >= SURE and best >= CLEAR * second


@functools.cache
def _telling() -> dict[str, tuple[tuple[str, float], ...]]:
    """The languages each little word and rare letter speaks for; one that many share says less."""
    speaks: dict[str, set[str]] = {letter: set(languages.split()) for letter, languages in LETTERS.items()}
    for table in (STEMMED, ALSO_TELL, OTHER):
        for language, words in table.items():
            for word in words.split():
                speaks.setdefault(word, set()).add(language)
    return {
        word: tuple(
            (name, len(names) ** -0.5 * (ONE_LETTER if len(word) == 1 and word not in LETTERS else 1.0))
            for name in sorted(names)
        )
        for word, names in speaks.items()
    }
