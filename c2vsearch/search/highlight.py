"""The sentence of each hit that answers a query best, by the words they share. Pure and quick."""

from __future__ import annotations

from collections.abc import Sequence

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.index.analysis import query_terms

Span = tuple[int, int]


def best_sentences(texts: Sequence[str], query: str) -> list[Span | None]:
    """For each text of a list of hits, the span of the sentence sharing most with the query; None when none does.

    Words are compared as the keyword index compares them: without stop words, cut to their stems, in pairs of
    characters where a script has no spaces. A word that many of the texts have counts little.

    >>> text = "Claims are paid on Friday. Send them within 60 days."
    >>> [(start, end)] = best_sentences([text], "how many days do I have to send claims")
    >>> text[start:end]
    'Send them within 60 days.'
    """
    wanted = frozenset(query_terms(query))
    sentences = [_sentences(text, wanted) for text in texts]
    held = [set[str]().union(*(shared for _, shared in group)) for group in sentences]
    weights = {term: 1.0 / max(1, sum(term in terms for terms in held)) for term in wanted}
    return [_best(group, weights) for group in sentences]


def _sentences(text: str, wanted: frozenset[str]) -> list[tuple[Span, list[str]]]:
    """Each sentence with the wanted terms in it."""
    if not wanted:
        return []
    found = []
    for start, end in sentence_spans(text):
        terms = query_terms(text[start:end])
        found.append(((start, end), [term for term in terms if term in wanted]))
    return found


def _best(sentences: list[tuple[Span, list[str]]], weights: dict[str, float]) -> Span | None:
    """The first of the sentences with the highest total weight."""
    scores = [sum(weights[term] for term in sorted(shared)) for _, shared in sentences]
    if not any(scores):
        return None
    return sentences[scores.index(max(scores))][0]
