"""Blocks into spans of chunks: whole ones as long as they fit, cut where they are too long, none lost.

Spans are filled from the front, so an edit would move every border behind it. That is why a border is drawn by what
stands behind it, not only by how much fits: of the last borders that would do, it is the one whose block has the
least checksum, and now and then a block begins a chunk whatever is before it. So borders come back soon after an edit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from c2vsearch.chunking.blocks import Block
from c2vsearch.chunking.parts import parts
from c2vsearch.chunking.tokens import MAX_CHARS_PER_TOKEN, TokenMap

# One border is chosen of those in the last part of the room; of those between whole blocks, in a larger part.
CHOSEN_FROM = 0.12
CHOSEN_BETWEEN_BLOCKS = 0.25
# Chunks between two blocks that begin one whatever is before; a chunk that they end has this part of its tokens.
CHUNKS_BETWEEN_ANCHORS = 8
LEAST_FILLED = 0.3
_TOLD_CHARS = 256


@dataclass(frozen=True, slots=True)
class Unit:
    """A block that is not cut; ``opens`` says that it is whole, or the first piece of a longer one."""

    block: Block
    opens: bool
    drawn: float

    @property
    def rank(self) -> tuple[bool, float]:
        """The border before the least one is taken."""
        return not self.opens, self.drawn


@dataclass(frozen=True, slots=True)
class Packed:
    """The span of a chunk to be, without its overlap; ``first`` and ``last`` are the blocks at its ends."""

    first: Block
    last: Block

    @property
    def start(self) -> int:
        """Where its first block starts."""
        return self.first.start

    @property
    def end(self) -> int:
        """Where its last block ends."""
        return self.last.end


class Packer:
    """Packs the blocks of one document. ``room`` says how many tokens a chunk has that begins with a block."""

    def __init__(self, text: str, tokens: TokenMap, *, room: Callable[[Block], int], overlap: int) -> None:
        self._text, self._tokens, self._room, self._overlap = text, tokens, room, overlap

    def pack(self, found: Iterable[Block]) -> Iterator[Packed]:
        """The spans, in order."""
        waiting: list[Unit] = []
        room = 0
        for unit in self._units(found):
            room = room or self._room(unit.block)  # of the first chunk, which repeats nothing
            waiting.append(unit)
            while taken := self._taken(waiting, room):
                yield Packed(waiting[0].block, waiting[taken - 1].block)
                del waiting[:taken]
                room = self._later(waiting[0].block)
        if waiting:
            yield Packed(waiting[0].block, waiting[-1].block)

    def _taken(self, waiting: list[Unit], room: int) -> int:
        """How many of the blocks are a chunk, now that the last one has come; 0 if there is room for more."""
        start, last = waiting[0].block.start, waiting[-1].block
        if self._tokens.fits(start, last.end, room):
            return len(waiting) - 1 if self._anchored(waiting, room) else 0
        best = len(waiting) - 1
        for number in range(best - 1, 0, -1):
            left = room - self._tokens.count(start, waiting[number].block.start)
            if left > CHOSEN_BETWEEN_BLOCKS * room:
                break
            near = waiting[number].opens or left <= CHOSEN_FROM * room
            if near and waiting[number].rank < waiting[best].rank:
                best = number
        return best

    def _anchored(self, waiting: list[Unit], room: int) -> bool:
        """Whether the last block begins a chunk by what it says: the longer it is, the more checksums say so."""
        block = waiting[-1].block
        share = self._tokens.count(block.start, block.end) / (CHUNKS_BETWEEN_ANCHORS * room)
        if waiting[-1].drawn >= share:
            return False
        return self._tokens.count(waiting[0].block.start, block.start) >= LEAST_FILLED * room

    def _later(self, block: Block) -> int:
        """Chunks but the first leave room for the overlap."""
        room = self._room(block)
        return max(room - self._overlap, room // 2)

    def _units(self, found: Iterable[Block]) -> Iterator[Unit]:
        for block in found:
            for number, piece in enumerate(self._pieces(block)):
                yield Unit(piece, number == 0, _drawn(self._text, piece))

    def _pieces(self, block: Block, depth: int = 0) -> Iterator[Block]:
        """The block, or the largest parts of it that fit."""
        if self._tokens.fits(block.start, block.end, self._later(block)):
            yield block
        elif block.shape == "line":
            yield from self._windows(block)
        else:
            for part in parts(self._text, block, depth):
                yield from self._pieces(part, depth + 1)

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


def _drawn(text: str, block: Block) -> float:
    """A number from 0 to 1 by what a block says."""
    told = text[block.start : min(block.end, block.start + _TOLD_CHARS)].strip()
    return zlib.crc32(told.encode("utf-8", "surrogatepass")) / 2**32
