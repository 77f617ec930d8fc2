"""Filters as text: ``team = ops and (opened >= 2026-01-01 or not tags contains 'urgent')``."""

from __future__ import annotations

import re
from collections.abc import Callable

from c2vsearch.errors import InvalidQuery
from c2vsearch.filters.filter import OPERATORS, And, Compare, Filter, Not, Operator, Or, PathGlob

MAX_DEPTH = 50  # of parentheses and nots: no person writes more, and Python's own stack ends somewhere

_TOKEN = re.compile(r"""\s*('(?:[^']|'')*'|"(?:[^"]|"")*"|[<>!=]=|[<>=(),]|[^\s<>!=(),'"]+)""")
_PAIR = re.compile(r"([^<>!=]+)(<=|>=|!=|==?|<|>)(.*)", re.DOTALL)
_KEYWORDS = ("and", "or", "not", "in", "contains", "matches")
_EXAMPLE = "team = 'ops' and (year >= 2024 or tags contains 'urgent')"


def parse(text: str) -> Filter:
    """A filter from its text.

    A comparison is a field, one of ``= != < <= > >= contains``, and a value; ``field in (a, b)`` is one of several
    values, ``path matches 'docs/**'`` a pattern. What has spaces or signs in it stands in quotes, which are doubled
    inside. ``and`` binds closer than ``or``, ``not`` closest.

    Raises:
        InvalidQuery: It is no filter; the message says where.

    >>> parse("year >= 2024 and not team = 'ops'")
    And(parts=(Compare(field='year', operator='>=', value='2024'),
               Not(part=Compare(field='team', operator='=', value='ops'))))
    """
    reader = _Reader(text)
    found = reader.either()
    reader.expect_end()
    return found


def parse_pair(text: str) -> Compare:
    """A condition on metadata from the form ``key=value``, ``key>=value``.

    Raises:
        InvalidQuery: It has no operator, or nothing before it.

    >>> parse_pair("team!=ops").field, parse_pair("team!=ops").value
    ('meta_team', 'ops')
    """
    match = _PAIR.fullmatch(text)
    if match is None or not match.group(1).strip():
        raise InvalidQuery(f"the condition is {text!r}; expected such as team=ops, 'year>=2024' or 'tags!=draft'")
    name, operator, value = match.groups()
    return Compare(f"meta_{name.strip()}", _operator(operator), value.strip())


def _operator(text: str) -> Operator:
    wanted = "=" if text == "==" else text.lower()
    return next(operator for operator in OPERATORS if operator == wanted)


class _Reader:
    """The text from left to right, one rule of the grammar a method."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._depth = text, _tokens(text), 0
        self._next = 0

    def either(self) -> Filter:
        return self._joined("or", lambda: self._joined("and", self._one, And), Or)

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise self._unexpected("`and`, `or` or the end")

    def _joined(self, word: str, part: Callable[[], Filter], kind: type[And | Or]) -> Filter:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _one(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidQuery(f"the filter is nested more than {MAX_DEPTH} deep; expected fewer parentheses and nots")
        if self._take("not"):
            found: Filter = Not(self._one())
        elif self._take("("):
            found = self.either()
            self._must_take(")")
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Filter:
        field = self._value("a field")
        if self._take("in"):
            return Or(tuple(Compare(field, "=", value) for value in self._values()))
        if self._take("matches"):
            return self._glob(field)
        token = self._peek()
        if token not in (*OPERATORS, "=="):
            raise self._unexpected(f"one of {' '.join(OPERATORS)} in matches")
        self._next += 1
        return Compare(field, _operator(token), self._value("a value"))

    def _glob(self, field: str) -> Filter:
        if field != "path":
            raise InvalidQuery(f"`matches` stands after {field!r}; expected it after path: path matches 'docs/**'")
        return PathGlob((self._value("a pattern"),))

    def _values(self) -> list[str]:
        self._must_take("(")
        found = [self._value("a value")]
        while self._take(","):
            found.append(self._value("a value"))
        self._must_take(")")
        return found

    def _value(self, wanted: str) -> str:
        token = self._tokens[self._next][0] if self._next < len(self._tokens) else ""
        if not token or token[0] in "<>!=()," or token.lower() in _KEYWORDS:
            raise self._unexpected(wanted)
        self._next += 1
        if token[0] in "'\"":
            return token[1:-1].replace(token[0] * 2, token[0])
        return token

    def _peek(self) -> str:
        """The next token, where it is a sign or a keyword in any case."""
        return self._tokens[self._next][0].lower() if self._next < len(self._tokens) else ""

    def _take(self, token: str) -> bool:
        taken = self._peek() == token
        self._next += taken
        return taken

    def _must_take(self, token: str) -> None:
        if not self._take(token):
            raise self._unexpected(f"`{token}`")

    def _unexpected(self, wanted: str) -> InvalidQuery:
        if self._next >= len(self._tokens):
            return InvalidQuery(f"the filter {self._text!r} ends early; expected {wanted}, as in: {_EXAMPLE}")
        token, place = self._tokens[self._next]
        return InvalidQuery(f"the filter has {token!r} at character {place + 1}; expected {wanted}, as in: {_EXAMPLE}")


def _tokens(text: str) -> list[tuple[str, int]]:
    """Each token and where it begins."""
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place, end)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise InvalidQuery(
                f"the filter has {text[start]!r} at character {start + 1}, which begins nothing; expected quotes in "
                f"pairs and a filter such as: {_EXAMPLE}"
            )
        found.append((match.group(1), match.start(1)))
        place = match.end()
    return found
