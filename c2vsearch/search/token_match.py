"""The sentence of each hit that answers a query best, by the token states of the model: paraphrases are found as well.

Late interaction (Khattab & Zaharia, SIGIR 2020) of the query's tokens with the tokens of each sentence, which were
encoded with the text around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.encoder.protocol import TokenCoder, TokenEncoder, Tokenizer
from c2vsearch.model.token_codec import needed_codec
from c2vsearch.records import Chunk
from c2vsearch.search.highlight import Span, best_sentences
from c2vsearch.search.rerank import CodedInteraction

States = NDArray[np.float32]


class TokenMatch:
    """Finds sentences with one forward pass a text.

    Args:
        encoder: Gives the states.
        tokenizer: Says where the tokens stand that the encoder has states of.
    """

    def __init__(self, encoder: TokenEncoder, tokenizer: Tokenizer) -> None:
        self._encoder, self._tokenizer = encoder, tokenizer

    def __call__(self, texts: Sequence[str], query: str) -> list[Span | None]:
        """For each text the span of its best sentence; None where it has none."""
        if not texts:
            return []
        asked = self._encoder.encode_query_tokens(query)
        # What the encoder puts around a text, it puts around the query: of [CLS] and [SEP] the first stands in front.
        before = min(1, len(asked) - len(self._tokenizer.token_spans(query)))
        states = self._encoder.encode_document_tokens(texts)
        return [
            best_sentence(asked, rows[before:], self._tokenizer.token_spans(text), sentence_spans(text))
            for text, rows in zip(texts, states, strict=True)
        ]


class CodedMatch:
    """`TokenMatch` by the codes of tokens that an index has, which takes no forward pass; by words where it lacks some.

    Args:
        encoder: Says where the tokens stand that have codes.
        asked: Gives the states of a query.
    """

    def __init__(self, encoder: TokenCoder, asked: CodedInteraction) -> None:
        self._encoder, self._asked = encoder, asked
        self._codec = needed_codec(encoder.token_codec, "given")

    @property
    def codec(self) -> str:
        """What codes have to be made with."""
        return self._codec.identity

    def __call__(self, texts: Sequence[str], query: str) -> list[Span | None]:
        """Without codes: by words."""
        return best_sentences(texts, query)

    def by_codes(self, chunks: Sequence[Chunk], query: str, codes: Sequence[bytes | None]) -> list[Span | None]:
        """For each chunk the span of its best sentence, in its text; None where it has none."""
        if None in codes:
            return self([chunk.text for chunk in chunks], query)
        asked = self._codec.rotated(self._asked.query_states(query))
        return [self._best(chunk, asked, known or b"") for chunk, known in zip(chunks, codes, strict=True)]

    def _best(self, chunk: Chunk, asked: States, codes: bytes) -> Span | None:
        before = len(chunk.embedded_text) - len(chunk.text)  # what stands above the text was embedded as well
        spans = self._encoder.coded_spans(chunk.embedded_text)
        states = self._codec.decode(codes)
        inside = [place for place, (start, end) in enumerate(spans[: len(states)]) if end > start >= before]
        places = [(spans[place][0] - before, spans[place][1] - before) for place in inside]
        return best_sentence(asked, states[inside], places, sentence_spans(chunk.text))


def best_sentence(
    query: States, states: States, places: Sequence[Span], sentences: Sequence[Span]
) -> Span | None:  # fmt: skip
    """The sentence whose tokens are nearest to those of a query.

    A token of the query counts by how much nearer its best token in the sentence is than in the sentences on average:
    what all of them have tells nothing.

    Args:
        query: Unit rows. Shape: (T_q, K).
        states: Unit rows of a text's tokens; fewer than tokens where the encoder has cut the end off. Shape: (T, K).
        places: Where the tokens stand.
        sentences: Where the sentences stand.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> best_sentence(rows[[2, 2, 0]], rows, [(0, 1), (2, 3), (4, 5)], [(0, 3), (4, 5)])
    (4, 5)
    """
    known = places[: len(states)]
    starts, ends = np.array([start for start, _ in known]), np.array([end for _, end in known])
    groups = [(span, np.flatnonzero((starts < span[1]) & (ends > span[0]))) for span in sentences]
    groups = [(span, tokens) for span, tokens in groups if len(tokens)]
    if not groups:
        return None
    near = query @ states.T
    best = np.array([near[:, tokens].max(axis=1) for _, tokens in groups])
    gains = (best - best.mean(axis=0)).clip(min=0).sum(axis=1)
    return groups[int(np.argmax(gains))][0]
