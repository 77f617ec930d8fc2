"""How an instruction reaches encoders of other makers: in the form most models that follow instructions know."""

from __future__ import annotations

import re

_INSTRUCTED = re.compile(
    r"(?P<head>\s*instruct:\s*)(?P<task>.*?)(?P<tail>\s*\n?\s*query:\s*)", re.IGNORECASE | re.DOTALL
)


def query_prompt(own: str, instruction: str | None) -> str:
    r"""What stands before a query.

    Without an instruction it is the model's own prompt. With one: a model without a prompt gets the usual form; in
    a prompt of that form the task is exchanged; any other prompt ("query: ") stays, because the model was trained
    with that one and knows no other.

    >>> query_prompt("", "Find the rule")
    'Instruct: Find the rule\nQuery: '
    >>> query_prompt("Instruct: Retrieve passages\nQuery:", "Find the rule")
    'Instruct: Find the rule\nQuery:'
    >>> query_prompt("query: ", "Find the rule"), query_prompt("query: ", None)
    ('query: ', 'query: ')
    """
    if instruction is None:
        return own
    if not own.strip():
        return f"Instruct: {instruction}\nQuery: "
    match = _INSTRUCTED.fullmatch(own)
    return f"{match['head']}{instruction}{match['tail']}" if match else own
