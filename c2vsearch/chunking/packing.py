"""Blocks into spans of chunks: whole ones as long as they fit, cut where they are too long, none lost.

Spans are filled from the front, so an edit would move every border behind it. That is why a border is drawn by what
stands behind it, not only by how much fits: of the last borders that would do, it is the one whose block has the
least checksum, and now and then a block begins a chunk whatever is before it. So borders come back soon after an edit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from c2vsearch.chunking.blocks import Block
from c2vsearch.chunking.parts import parts
from c2vsearch.chunking.tokens import MAX_CHARS_PER_TOKEN, TokenMap

# One border is chosen of those in the last part of the room; of those between whole blocks, in a larger part.
CHOSEN_FROM = 0.12
CHOSEN_BETWEEN_BLOCKS = 0.25
# Chunks between two blocks that begin one whatever is before.
CHUNKS_BETWEEN_ANCHORS = 8
# A chunk with a smaller part of its tokens, before such a block or at the end, takes from the one before.
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


@dataclass(slots=True)
class _Filling:
    """The blocks of a chunk, and the tokens it has room for."""

    room: int = 0
    units: list[Unit] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.units[0].block.start

    @property
    def end(self) -> int:
        return self.units[-1].block.end

    def packed(self) -> Iterator[Packed]:
        if self.units:
            yield Packed(self.units[0].block, self.units[-1].block)


class Packer:
    """Packs the blocks of one document. ``room`` says how many tokens a chunk has that begins with a block."""

    def __init__(self, text: str, tokens: TokenMap, *, room: Callable[[Block], int], overlap: int) -> None:
        self._text, self._tokens, self._room, self._overlap = text, tokens, room, overlap

    def pack(self, found: Iterable[Block]) -> Iterator[Packed]:
        """The spans, in order."""
        before, now = _Filling(), _Filling()
        for unit in self._units(found):
            if not now.units:
                now.room = self._room(unit.block)  # of the first chunk, which repeats nothing
            elif self._begins_anew(before, now, unit):
                yield from self._settled(before, now)
                before, now = _Filling(), _Filling(self._later(unit.block))
            now.units.append(unit)
            if taken := self._taken(now):
                yield from before.packed()
                rest = now.units[taken:]
                before, now = _Filling(now.room, now.units[:taken]), _Filling(self._later(rest[0].block), rest)
        yield from self._settled(before, now)

    def _taken(self, now: _Filling) -> int:
        """How many of the blocks are a chunk, now that the last one has come; 0 if there is room for more."""
        units, room = now.units, now.room
        best = len(units) - 1
        if not best or self._tokens.fits(now.start, now.end, room):
            return 0
        for number in range(best - 1, 0, -1):
            left = room - self._tokens.count(now.start, units[number].block.start)
            if left > CHOSEN_BETWEEN_BLOCKS * room:
                break
            near = units[number].opens or left <= CHOSEN_FROM * room
            if near and units[number].rank < units[best].rank:
                best = number
        return best

    def _begins_anew(self, before: _Filling, now: _Filling, unit: Unit) -> bool:
        """Whether a block begins a chunk by what it says: the longer it is, the more checksums say so."""
        length = self._tokens.count(unit.block.start, unit.block.end)
        if unit.drawn * CHUNKS_BETWEEN_ANCHORS * self._later(unit.block) >= length:
            return False
        return bool(before.units) or not self._is_small(now)

    def _is_small(self, filling: _Filling) -> bool:
        return self._tokens.count(filling.start, filling.end) < LEAST_FILLED * filling.room

    def _settled(self, before: _Filling, now: _Filling) -> Iterator[Packed]:
        """The last two chunks before a border that stands; a small last one joins the other, or takes from it."""
        if before.units and self._is_small(now):
            units = before.units + now.units
            if self._tokens.fits(before.start, now.end, before.room):
                before, now = _Filling(before.room, units), _Filling()
            else:
                cuts = [cut for cut in range(1, len(units)) if self._fit(units, cut, before.room)]
                cut = min(cuts, key=lambda cut: self._fuller(units, cut), default=len(before.units))
                before, now = _Filling(before.room, units[:cut]), _Filling(now.room, units[cut:])
        yield from before.packed()
        yield from now.packed()

    def _fit(self, units: list[Unit], cut: int, room: int) -> bool:
        """Whether both are chunks if they are cut before that block."""
        later = units[cut].block
        return self._tokens.fits(units[0].block.start, units[cut - 1].block.end, room) and self._tokens.fits(
            later.start, units[-1].block.end, self._later(later)
        )

    def _fuller(self, units: list[Unit], cut: int) -> int:
        """The tokens of the longer of the two."""
        border = units[cut].block.start
        count = self._tokens.count
        return max(count(units[0].block.start, border), count(border, units[-1].block.end))

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
