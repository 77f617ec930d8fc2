"""An answer held against the passages it was given: which of its sentences they support, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.protocol import Encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.rag.citation import Citation
from c2vsearch.rag.claim import Claim, claims
from c2vsearch.rag.context import Context
from c2vsearch.rag.evidence import Evidence, Span
from c2vsearch.terminal import visible_line

# Measured with c2v-mini: docs/benchmarks.md, "Checking answers". Another model's cosines may want another one.
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Support:
    """One sentence of an answer and the best there is for it in the passages.

    ``score`` is from 0 to 1; ``cited`` are the numbers the answer itself named. ``quote`` is the sentence or two that
    support it best, characters ``start:end`` of the document that ``citation`` names; None and "" without passages.
    """

    text: str
    score: float
    supported: bool
    cited: tuple[int, ...] = ()
    citation: Citation | None = None
    quote: str = ""
    start: int = 0
    end: int = 0

    def __str__(self) -> str:
        """The verdict on one line, safe to print."""
        place = f" [{self.citation.number}] {self.citation}" if self.supported and self.citation else ""
        verdict = "supported" if self.supported else "UNSUPPORTED"
        return f"{verdict} {self.score:.2f}{place}: {visible_line(self.text)}"


@dataclass(frozen=True, slots=True)
class Verification:
    """An answer, sentence by sentence."""

    sentences: tuple[Support, ...]

    @property
    def unsupported(self) -> tuple[Support, ...]:
        """The sentences that no passage supports."""
        return tuple(sentence for sentence in self.sentences if not sentence.supported)

    @property
    def supported(self) -> bool:
        """Whether every sentence is supported; not so when there is none."""
        return bool(self.sentences) and not self.unsupported

    def __iter__(self) -> Iterator[Support]:
        """The sentences in order."""
        return iter(self.sentences)

    def __str__(self) -> str:
        """A line for each sentence."""
        return "\n".join(map(str, self.sentences))


def verify(answer: str, context: Context, encoder: Encoder, *, threshold: float = THRESHOLD) -> Verification:
    """Look for support of each sentence of an answer.

    Args:
        answer: What a language model, or somebody, wrote; ``[n]`` in it is taken as a citation.
        context: The passages it has to rest on.
        encoder: The model of the index.
        threshold: The least score of a supported sentence, above 0.4: what lacks a number never has more.

    Raises:
        InvalidConfig: The threshold is not above 0.4 and up to 1.
    """
    if not 0.4 < threshold <= 1.0:
        raise InvalidConfig(f"threshold is {threshold}; expected above 0.4 and up to 1")
    said = claims(answer)
    spans, scores = _scored(said, context, encoder)
    if not spans:
        return Verification(tuple(Support(claim.text, 0.0, False, claim.cited) for claim in said))
    best = scores.argmax(axis=1)
    return Verification(
        tuple(
            _support(claim, spans[place], float(row[place]), context, threshold)
            for claim, place, row in zip(said, best.tolist(), scores, strict=True)
        )
    )


def _scored(said: Sequence[Claim], context: Context, encoder: Encoder) -> tuple[list[Span], NDArray[np.float64]]:
    """What may support the claims, and how well; nothing is encoded where there is nothing to compare."""
    if not said or not context.passages:
        return [], np.zeros((len(said), 0))
    evidence = Evidence(context, encoder)
    return evidence.spans, evidence.scores([claim.text for claim in said])


def _support(claim: Claim, span: Span, score: float, context: Context, threshold: float) -> Support:
    citation = context.citations[span.passage]
    start, end = citation.start + span.start, citation.start + span.end
    return Support(claim.text, score, score >= threshold, claim.cited, citation, span.text, start, end)
