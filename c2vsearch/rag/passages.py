"""Pieces that overlap or follow each other, made one passage each."""

from __future__ import annotations

from collections.abc import Sequence

from c2vsearch.collection.contents import text_of
from c2vsearch.rag.citation import Citation
from c2vsearch.rag.piece import Piece


def grouped(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces in groups that overlap or follow each other: documents by their best hit, in each as it is read."""
    groups: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.document, piece.place)):
        if groups and _goes_on(groups[-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    best: dict[tuple[str, str], int] = {}
    for piece in pieces:
        best[piece.document] = min(piece.rank, best.get(piece.document, piece.rank))
    return sorted(groups, key=lambda group: best[group[0].document])


def _goes_on(group: Sequence[Piece], piece: Piece) -> bool:
    if group[-1].document != piece.document:
        return False
    return piece.place <= group[-1].place + 1 or piece.chunk.start <= max(each.chunk.end for each in group)


def joined(group: Sequence[Piece]) -> str:
    """The text the group covers, each character once: as long as the span of its citation."""
    return text_of(piece.chunk for piece in group)


def citation(number: int, group: Sequence[Piece]) -> Citation:
    """Where a group is from."""
    chunks = [piece.chunk for piece in group]
    first = chunks[0]
    return Citation(
        number,
        first.source,
        first.member,
        start=first.start,
        end=max(chunk.end for chunk in chunks),
        start_line=first.start_line,
        end_line=max(chunk.end_line for chunk in chunks),
        page=first.page,
        last_page=None if first.page is None else max(chunk.page or first.page for chunk in chunks),
        heading_path=first.heading_path,
    )
