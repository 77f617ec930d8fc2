"""What the passages of a context say, in sentences, and how well each supports a claim."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.encoder.protocol import Encoder
from c2vsearch.index.analysis import query_terms
from c2vsearch.index.languages import language_of
from c2vsearch.rag.context import Context
from c2vsearch.rag.numbers import numbers

# Chosen together with the threshold: docs/benchmarks.md, "Checking answers".
WORDS_WEIGHT = 0.2
OTHER_NUMBER = 0.4
OTHER_POLARITY = 0.9

_NEGATION = re.compile(r"\b(?:not|no|never|nobody|none|nothing|neither|nor|without|cannot|\w+n['’]t)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence of a passage, or two that follow each other: characters ``start:end`` of the passage's text."""

    passage: int
    start: int
    end: int
    text: str
    sentences: slice


class Evidence:
    """The sentences of a context, encoded once for all the claims of an answer.

    Args:
        context: The passages.
        encoder: Gives claims and sentences their vectors.
    """

    def __init__(self, context: Context, encoder: Encoder) -> None:
        self._encoder = encoder
        self.spans: list[Span] = []
        sentences: list[str] = []
        for number, passage in enumerate(context.passages):
            self.spans += _spans(number, passage.text, len(sentences))
            sentences += [passage.text[start:end] for start, end in sentence_spans(passage.text)]
        self._rows = _sums(encoder.encode_documents(sentences), self.spans)
        # Claims and sentences are compared in one language, whatever a single sentence looks like.
        self._language = language_of(" ".join(passage.text for passage in context.passages))
        self._terms = [frozenset(self._words(span.text)) for span in self.spans]
        self._numbers = [numbers(span.text) for span in self.spans]
        self._negated = [is_negated(span.text) for span in self.spans]
        held = Counter(term for sentence in sentences for term in self._words(sentence))
        self._rarity = {term: math.log(1 + len(sentences) / (1 + count)) for term, count in held.items()}
        self._unheard = math.log(1 + len(sentences))

    def scores(self, claims: Sequence[str]) -> NDArray[np.float64]:
        """How well each span supports each claim, from 0 to 1. Shape: (C, S) for C claims and S spans.

        The cosine of the two and the share of the claim's words in the span, rare words counting more. A span that
        lacks a number of the claim, or denies what the claim affirms, counts less.
        """
        cosines = self._encoder.encode_documents(claims).astype(np.float64) @ self._rows.T
        overlap = np.array([self._overlap(claim) for claim in claims])
        agreement = np.array([self._agreement(claim) for claim in claims])
        mixed = (1 - WORDS_WEIGHT) * cosines + WORDS_WEIGHT * overlap
        return np.asarray((mixed.clip(0.0, 1.0) * agreement), dtype=np.float64)

    def _words(self, text: str) -> Counter[str]:
        return query_terms(text, language=self._language)

    def _overlap(self, claim: str) -> list[float]:
        words = frozenset(self._words(claim))
        return [self._share(words, found) for found in self._terms]

    def _agreement(self, claim: str) -> list[float]:
        told, negated = numbers(claim), is_negated(claim)
        return [
            (1.0 if told <= found else OTHER_NUMBER) * (1.0 if negated == denied else OTHER_POLARITY)
            for found, denied in zip(self._numbers, self._negated, strict=True)
        ]

    def _share(self, words: frozenset[str], found: frozenset[str]) -> float:
        weights = {word: self._rarity.get(word, self._unheard) for word in words}
        total = sum(weights.values())
        return sum(weights[word] for word in sorted(words & found)) / total if total else 0.0


def _spans(passage: int, text: str, first: int) -> Iterator[Span]:
    """Each sentence and each two neighbours; ``first`` is the number of the first sentence."""
    sentences = sentence_spans(text)
    for number, (start, _) in enumerate(sentences):
        for last in range(number, min(number + 2, len(sentences))):
            end = sentences[last][1]
            yield Span(passage, start, end, text[start:end], slice(first + number, first + last + 1))


def _sums(rows: NDArray[np.float32], spans: Sequence[Span]) -> NDArray[np.float64]:
    """A unit row for each span: the sum of its sentences' rows. Shape: (N, D) to (S, D)."""
    sums = np.array([rows[span.sentences].sum(axis=0, dtype=np.float64) for span in spans]).reshape(len(spans), -1)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-12))


def is_negated(text: str) -> bool:
    """Whether a text denies something, by the words of English.

    >>> is_negated("The boat doesn't sail."), is_negated("The boat sails.")
    (True, False)
    """
    return _NEGATION.search(text) is not None
