"""Source code and configuration, verbatim. What is defined in it becomes headings where its grammar is known."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress

from c2vsearch.errors import MissingDependency
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.syntax import GRAMMARS, definitions
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading


def read_code(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A file of source code in any language; its definitions are headings where the extra ``code`` is installed."""
    text = decode(blob.data)
    headings: tuple[Heading, ...] = ()
    if grammar := GRAMMARS.get(blob.suffix):
        with suppress(MissingDependency):  # without headings it is still worth reading
            headings = tuple(definitions(text, grammar))
    yield Document(id="", source=blob.source, member=blob.member, text=text, kind="code", headings=headings)


def read_python(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A Python file; with broken syntax it has no headings."""
    text = decode(blob.data)
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="code", headings=tuple(python_headings(text))
    )


def python_headings(text: str) -> list[Heading]:
    r"""Classes and functions by qualified name, where their decorators start.

    >>> [(h.level, h.title) for h in python_headings("class A:\n    def f(self): pass\n")]
    [(1, 'A'), (2, 'A.f')]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the code that is read, such as invalid escapes
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
    # The parser's lines: neither form feeds nor U+2028 end one.
    starts = [0, *(match.end() for match in re.finditer("\r\n|\r|\n", text))]
    headings: list[Heading] = []
    pending: list[tuple[ast.AST, str, int]] = [(tree, "", 0)]
    while pending:
        node, prefix, level = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                name = f"{prefix}{child.name}"
                headings.append(Heading(starts[first - 1], level + 1, name))
                if isinstance(child, ast.ClassDef):
                    pending.append((child, f"{name}.", level + 1))
    return sorted(headings, key=lambda heading: heading.start)
