"""The sentence of each hit that answers a query best, by the words they share. Pure and quick; blind to paraphrases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.index.analysis import Word, indexed_terms, query_words
from c2vsearch.index.languages import language_of

Span = tuple[int, int]
# The texts of hits and the query to the span of the best sentence of each.
Highlighter = Callable[[Sequence[str], str], list[Span | None]]


def best_sentences(texts: Sequence[str], query: str) -> list[Span | None]:
    """For each text of a list of hits, the span of the sentence sharing most with the query; None when none does.

    Words are compared as the keyword index compares them: without stop words, cut to their stems in the language of
    each text, in pairs of characters where a script has no spaces. A word that many of the texts have counts little.

    >>> text = "Claims are paid on Friday. Send them within 60 days."
    >>> [(start, end)] = best_sentences([text], "how many days do I have to send claims")
    >>> text[start:end]
    'Send them within 60 days.'
    """
    languages = [language_of(text) for text in texts]
    words = query_words(query, languages=sorted(set(languages)))
    sentences = [_sentences(text, language, words) for text, language in zip(texts, languages, strict=True)]
    held = [set[Word]().union(*(shared for _, shared in group)) for group in sentences]
    weights = {word: 1.0 / max(1, sum(word in shared for shared in held)) for word in words}
    return [_best(group, weights) for group in sentences]


def _sentences(text: str, language: str, words: Iterable[Word]) -> list[tuple[Span, list[Word]]]:
    """Each sentence with the words of the query that are in it."""
    wanted = {term: word for word in words for known, term in word if known == language}
    if not wanted:
        return []
    found = []
    for start, end in sentence_spans(text):
        terms = set(indexed_terms(text[start:end], language=language))
        found.append(((start, end), [word for term, word in wanted.items() if term in terms]))
    return found


def _best(sentences: list[tuple[Span, list[Word]]], weights: dict[Word, float]) -> Span | None:
    """The first of the sentences with the highest total weight."""
    scores = [sum(weights[word] for word in sorted(shared)) for _, shared in sentences]
    if not any(scores):
        return None
    return sentences[scores.index(max(scores))][0]
