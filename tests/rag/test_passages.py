"""Pieces made passages: the very text of the document, in the order promised."""

from __future__ import annotations

import pytest

from c2vsearch.rag.passages import citation, grouped, joined
from c2vsearch.rag.piece import Piece
from c2vsearch.records import Chunk, Hit


def piece(text, start, *, place=0, line=1, source="a.md", rank=1, **more):
    end, last = start + len(text), line + text.count("\n")
    return Piece(Hit(rank, 1.0, f"{source}{start}", source, text, start, end, line, last, **more), place, rank)


@pytest.mark.parametrize(
    "document", ["One two three four.", "One two\nthree four.", "One two\n\nthree four.", "One two three four. Five"]
)
def test_chunks_are_joined_to_the_very_text_they_were_cut_from(document):
    for first_end, second_start in ((7, 4), (7, 7), (7, 8 + document[8].isspace())):
        parts = [(document[:first_end], 0), (document[second_start:], second_start)]
        group = [piece(text, at, line=1 + document[:at].count("\n")) for text, at in parts]
        assert joined(group) == document


def test_groups_merge_within_a_document_only_and_documents_stand_by_their_best_hit():
    first, second = piece("abc", 0, place=0, rank=3), piece("cde", 2, place=1, rank=4)
    follows, far = piece("fgh", 20, place=2, rank=5), piece("xyz", 90, place=9, rank=2)
    other = piece("abc", 0, source="b.md", rank=1)
    assert grouped([other, far, first, second, follows]) == [[other], [first, second, follows], [far]]


def test_chunks_that_overlap_are_one_passage_wherever_they_stand():
    outer, inner, last = piece("abcdefgh", 0, place=0), piece("cd", 2, place=1), piece("gh", 6, place=3)
    assert grouped([last, outer, inner]) == [[outer, inner, last]]
    assert joined([outer, inner, last]) == "abcdefgh"


def test_a_citation_spans_the_group():
    group = [piece("One\n", 5, line=2, page=3), piece("two", 9, place=1, line=3, page=4), piece("e\nt", 6, line=2)]
    place = citation(7, group)
    assert (place.number, place.start, place.end, place.start_line, place.end_line) == (7, 5, 12, 2, 3)
    assert str(place) == "a.md, pages 3-4"
    assert len(joined(group)) == place.end - place.start


def test_a_piece_that_was_not_found_is_no_hit():
    assert not Piece(Chunk("1", "d", "a.md", 0, 3, "abc", 1, 1), 0, 1).is_hit
