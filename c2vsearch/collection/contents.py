"""What an index has of single files: their chunks, and the text put together from them."""

from __future__ import annotations

from collections.abc import Iterable

from c2vsearch.collection.collection import Collection
from c2vsearch.records import Chunk, Hit


def chunks_of(collection: Collection, source: str, member: str | None = None) -> list[Chunk]:
    """The live chunks of a file, or of one thing inside it, in the order of its text.

    Only the shards' column of sources is read of what belongs to other files.
    """
    found: list[Chunk] = []
    for number, entry in enumerate(collection.manifest.shards):
        shard = collection.shard(number)
        gone = collection.deletes.get(entry.name, set())
        rows = [row for row, name in enumerate(shard.column("source")) if name == source and row not in gone]
        found += shard.chunks(rows)
    wanted = (chunk for chunk in found if member is None or chunk.member == member)
    return sorted(wanted, key=lambda chunk: (chunk.member, chunk.start, chunk.end))


def text_of(chunks: Iterable[Chunk | Hit]) -> str:
    r"""The text of a document from its chunks or hits, overlaps once. Between chunks there is only white space.

    Lines are as in the text; which white space it was beyond line breaks is not known any more.

    >>> def piece(start, text, first, last):
    ...     return Chunk("", "", "a.md", start, start + len(text), text, first, last)
    >>> text_of([piece(0, "One. Two.", 1, 1), piece(5, "Two. Three.", 1, 1), piece(18, "Four.", 3, 3)])
    'One. Two. Three.\n\nFour.'
    """
    text, end, line = "", 0, 0
    for chunk in chunks:
        if chunk.end <= end:
            continue
        if text and chunk.start > end:
            breaks = min(max(chunk.start_line - line, 0), chunk.start - end)
            text += "\n" * breaks + " " * (chunk.start - end - breaks)
        text += chunk.text[max(end - chunk.start, 0) :] if text else chunk.text
        end, line = chunk.end, chunk.end_line
    return text


def lines_of(chunks: Iterable[Chunk], first: int, last: int) -> str:
    """The chunks that touch some lines of the file, as text; where lines are those of the text, only these."""
    touching = [chunk for chunk in chunks if chunk.start_line <= last and chunk.end_line >= first]
    if not touching:
        return ""
    text = text_of(touching)
    begin, end = touching[0].start_line, max(chunk.end_line for chunk in touching)
    lines = text.split("\n")
    return "\n".join(lines[max(first - begin, 0) : last - begin + 1]) if len(lines) == end - begin + 1 else text
