"""A query as it is typed: plain words, with "quoted phrases" and -exclusions among them. Any text is a query."""

from __future__ import annotations

import re
from dataclasses import dataclass

from c2vsearch.errors import InvalidQuery
from c2vsearch.index.analysis import terms_of

# An operator stands at the beginning of a word, so that 5" and well-known are none; nor is -- or a dash alone.
_OPERATOR = re.compile(r'(?<!\S)(?:(?P<minus>-?)"(?P<phrase>[^"\n]+)"(?!\w)|-(?P<word>\w\S*))')


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: the words, the phrases of them that a keyword hit must have, and what no hit may have."""

    text: str
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


def plain_query(text: str) -> Query:
    """A query that is nothing but words.

    Raises:
        InvalidQuery: It is empty.
    """
    words = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").strip()
    if not words:
        raise InvalidQuery("the query is empty; expected some words to search for")
    return Query(words)


def parse_query(text: str) -> Query:
    r"""A query with its operators; what is none is words, and so is a text in which nothing else would be left.

    Raises:
        InvalidQuery: It is empty.

    >>> parse_query('"ferry times" to the -"old harbour" island -winter')
    Query(text='ferry times to the island', phrases=('ferry times',), excluded=('old harbour', 'winter'))
    >>> parse_query('a 5" pipe - or -- "so'), parse_query("-k")
    (Query(text='a 5" pipe - or -- "so', phrases=(), excluded=()), Query(text='-k', phrases=(), excluded=()))
    """
    whole = plain_query(text)
    phrases: list[str] = []
    excluded: list[str] = []

    def replace(match: re.Match[str]) -> str:
        told = match["phrase"] or match["word"]
        if not terms_of(told):
            return match.group()
        kept = match["phrase"] is not None and not match["minus"]
        (phrases if kept else excluded).append(told)
        return told if kept else " "

    words = _OPERATOR.sub(replace, whole.text)
    if not phrases and not excluded:
        return whole
    left = " ".join(words.split())
    return Query(left, tuple(phrases), tuple(excluded)) if terms_of(left) else whole
