"""Which pieces go into a context: the best ones that fit."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence

from c2vsearch.encoder.protocol import Tokenizer
from c2vsearch.rag.context import Context
from c2vsearch.rag.fence import fenced
from c2vsearch.rag.passages import citation, grouped, joined
from c2vsearch.rag.piece import Piece
from c2vsearch.records import Passage

Groups = list[list[Piece]]
BREAK = "\n\n"


def assemble(
    pieces: Iterable[Piece], *, tokenizer: Tokenizer, max_tokens: int, per_source: int | None = None
) -> Context:
    """A context of whole pieces, taken in their order as long as the text they make fits.

    Args:
        pieces: Hits, best first, and then what stands beside them.
        tokenizer: What counts.
        max_tokens: Tokens of the whole text, citations and fences included.
        per_source: Passages from one file, at most.
    """

    @functools.cache
    def count(block: str) -> int:
        return len(tokenizer.token_spans(block))

    kept: list[Piece] = []
    for piece in pieces:
        larger = grouped([*kept, piece])
        if _belongs(piece, kept, larger, per_source) and sum(map(count, _blocks(larger))) <= max_tokens:
            kept.append(piece)
    # Blocks were counted one by one; together they may have a few tokens more.
    while kept and count(BREAK.join(_blocks(grouped(kept)))) > max_tokens:
        kept.pop()
    return _context(grouped(kept), tokenizer)


def _belongs(piece: Piece, kept: Sequence[Piece], larger: Groups, per_source: int | None) -> bool:
    """Whether the piece says something new, and adds to a passage where it is no hit itself."""
    if _is_repeated(piece, kept):
        return False
    if not piece.is_hit and len(larger) > len(grouped(kept)):
        return False
    passages = Counter(group[0].chunk.source for group in larger)
    return per_source is None or passages[piece.chunk.source] <= per_source


def _is_repeated(piece: Piece, kept: Sequence[Piece]) -> bool:
    text = " ".join(piece.chunk.text.split())
    return any(text in " ".join(other.chunk.text.split()) for other in kept)


def _blocks(groups: Groups) -> list[str]:
    """Each passage as it stands in the prompt: number, place, fenced text."""
    return [
        f"[{number}] {citation(number, group)}\n{fenced(joined(group))}" for number, group in enumerate(groups, start=1)
    ]


def _context(groups: Groups, tokenizer: Tokenizer) -> Context:
    text = BREAK.join(blocks := _blocks(groups))
    starts = [start for start, _ in tokenizer.token_spans(text)]
    citations = tuple(citation(number, group) for number, group in enumerate(groups, start=1))
    passages, begin = [], 0
    for place, group, block in zip(citations, groups, blocks, strict=True):
        end = begin + len(block) + len(BREAK)
        tokens = sum(begin <= start < end for start in starts)
        ids = tuple(piece.chunk.id for piece in group if piece.is_hit)
        passages.append(Passage(place.number, str(place), joined(group), tokens, ids))
        begin = end
    return Context(text, tuple(passages), len(starts), citations)
