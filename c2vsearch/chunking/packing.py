"""Blocks into spans of chunks: whole ones as long as they fit, cut where they are too long, none lost.

Spans are filled from the front, so an edit moves every border behind it. That is why now and then a block begins a
chunk because of what it says, whatever is before it: there the borders are again where they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from c2vsearch.chunking.blocks import Block
from c2vsearch.chunking.parts import parts
from c2vsearch.chunking.tokens import MAX_CHARS_PER_TOKEN, TokenMap

# Chunks between two blocks that begin one by what they say; a chunk they end has at least this part of its tokens.
CHUNKS_BETWEEN_ANCHORS = 12
LEAST_FILLED = 0.3
_TOLD_CHARS = 256


@dataclass(frozen=True, slots=True)
class Packed:
    """The span of a chunk to be, without its overlap; ``first`` and ``last`` are the blocks at its ends."""

    start: int
    end: int
    first: Block
    last: Block


class Packer:
    """Packs the blocks of one document. ``room`` says how many tokens a chunk has that begins with a block."""

    def __init__(
        self, text: str, tokens: TokenMap, *, room: Callable[[Block], int], overlap: int
    ) -> None:  # fmt: skip
        self._text, self._tokens, self._room, self._overlap = text, tokens, room, overlap

    def pack(self, found: Iterable[Block]) -> Iterator[Packed]:
        """The spans, in order."""
        packed: Packed | None = None
        room = 0
        for unit in self._units(found):
            if packed and (not self._tokens.fits(packed.start, unit.end, room) or self._anchored(packed, unit, room)):
                yield packed
                packed, room = None, -1
            if packed is None:
                room = self._room(unit) if room == 0 else self._later(unit)
                packed = Packed(unit.start, unit.end, unit, unit)
            else:
                packed = Packed(packed.start, unit.end, packed.first, unit)
        if packed:
            yield packed

    def _later(self, block: Block) -> int:
        """Chunks but the first leave room for the overlap."""
        room = self._room(block)
        return max(room - self._overlap, room // 2)

    def _units(self, found: Iterable[Block], depth: int = 0) -> Iterator[Block]:
        for block in found:
            if self._tokens.fits(block.start, block.end, self._later(block)):
                yield block
            elif block.shape == "line":
                yield from self._windows(block)
            else:
                yield from self._units(parts(self._text, block, depth), depth + 1)

    def _windows(self, block: Block) -> Iterator[Block]:
        """What has neither sentences nor lines, cut between words where that is possible."""
        start, end, room = block.start, block.end, self._later(block)
        while not self._tokens.fits(start, end, room):
            limit = min(start + room * MAX_CHARS_PER_TOKEN, end)
            limit = max(self._tokens.place(start, limit, room), start + 1)
            space = max(self._text.rfind(mark, start, limit) for mark in " \t")
            cut = space if space > start + (limit - start) // 2 else limit
            yield Block(start, cut, "line", block.header)
            start = cut
        yield Block(start, end, "line", block.header)

    def _anchored(self, packed: Packed, unit: Block, room: int) -> bool:
        """Whether a block begins a chunk by what it says, as many a token do as one has that many chunks."""
        told = self._text[unit.start : min(unit.end, unit.start + _TOLD_CHARS)].strip()
        drawn = zlib.crc32(told.encode("utf-8", "surrogatepass")) % (CHUNKS_BETWEEN_ANCHORS * room)
        if drawn >= self._tokens.count(unit.start, unit.end):
            return False
        return self._tokens.count(packed.start, packed.end) >= LEAST_FILLED * room
