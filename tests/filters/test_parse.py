"""The text of a filter: what it says is what was written, and whatever else is one line about where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.errors import InvalidQuery
from c2vsearch.filters import And, Compare, Filter, Not, Or, PathGlob, parse, parse_pair
from c2vsearch.filters.filter import OPERATORS
from c2vsearch.filters.parse import MAX_DEPTH


def written(filter: Filter) -> str:
    """A filter as text, every part of it in parentheses."""
    match filter:
        case And(parts):
            return f"({' and '.join(map(written, parts))})"
        case Or(parts):
            return f"({' or '.join(map(written, parts))})"
        case Not(part):
            return f"not {written(part)}"
        case PathGlob((pattern,)):
            return f"path matches {quoted(pattern)}"
        case Compare(field, operator, value):
            return f"{quoted(field)} {operator} {quoted(str(value))}"
    raise AssertionError(filter)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def filters() -> st.SearchStrategy[Filter]:
    several = lambda inner: st.lists(inner, min_size=2, max_size=3).map(tuple)  # noqa: E731
    leaves = st.one_of(
        st.builds(Compare, st.text(), st.sampled_from(OPERATORS), st.text()),
        st.builds(PathGlob, st.tuples(st.text())),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.builds(And, several(inner)), st.builds(Or, several(inner)), st.builds(Not, inner)),
        max_leaves=8,
    )


@given(filters())
def test_what_is_written_is_read(filter: Filter) -> None:
    assert parse(written(filter)) == filter


@given(
    st.lists(st.sampled_from(["a", "=", "(", ")", "and", "or", "not", "in", ",", "'x'", "'", '"', "!", ">=", "é\n"]))
)
def test_any_text_is_a_filter_or_one_line(tokens: list[str]) -> None:
    try:
        message = "" if isinstance(parse(" ".join(tokens)), Filter) else "no filter"
    except InvalidQuery as error:
        message = str(error)
    assert message == "" or ("expected" in message and "\n" not in message)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a=1 or b=2 and not c=3", "a = 1 or (b = 2 and (not c = 3))"),
        ("a = 1 and b = 2 or c = 3", "(a = 1 and b = 2) or c = 3"),
        ("NOT a == x AND b Contains y", "(not (a = 'x')) and b contains 'y'"),
        ("a in (x, 'y z')", "a = x or a = 'y z'"),
        ("opened>=2026-01-01T14:30", "opened >= '2026-01-01T14:30'"),
    ],
)
def test_what_binds_closer(text: str, same: str) -> None:
    assert parse(text) == parse(same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends early; expected a field"),
        ("a", "ends early; expected one of ="),
        ("a = ", "ends early; expected a value"),
        ("a = 'x", 'has "\'" at character 5, which begins nothing'),
        ("a = x y = z", "'y' at character 7; expected `and`, `or` or the end"),
        ("(a = x", "ends early; expected `\\)`"),
        ("a in x", "'x' at character 6; expected `\\(`"),
        ("title matches 'x'", "`matches` stands after 'title'"),
        ("(" * 60 + "a = x" + ")" * 60, f"nested more than {MAX_DEPTH} deep"),
    ],
)
def test_what_is_wrong_and_where(text: str, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        parse(text)


def test_a_pair_is_a_condition_on_metadata() -> None:
    assert parse_pair("team = ops") == Compare("meta_team", "=", "ops")
    assert parse_pair("my field>=a=b") == Compare("meta_my field", ">=", "a=b")
    assert parse_pair("note=") == Compare("meta_note", "=", "")
    for text in ("team", "=x", " >3", ""):
        with pytest.raises(InvalidQuery, match="expected such as team=ops"):
            parse_pair(text)
