"""Jupyter notebooks: Markdown cells as they are, code cells fenced, what they print after them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.readers.markdown import markdown_headings
from c2vsearch.ingest.text import decode, fit
from c2vsearch.records import Document

_OUTPUT_CHARS = 4_000  # of a cell: more is a table of numbers or a log


def read_notebook(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A notebook of format 3 or 4. Lines are not cited: those of the file are lines of JSON.

    Raises:
        UnreadableDocument: "broken-notebook" or "no-text".
    """
    try:
        notebook = dict(json.loads(decode(blob.data)))
        parts = [part for cell in _cells(notebook) for part in _parts(cell, _language(notebook))]
    except (ValueError, RecursionError, TypeError, AttributeError) as error:
        raise UnreadableDocument("broken-notebook", f"not a notebook: {error}") from error
    text = fit("\n\n".join(part for part in parts if part.strip()))
    if not text:
        raise UnreadableDocument("no-text", "the notebook has no text")
    headings = tuple(markdown_headings(text))
    title = next((heading.title for heading in headings if heading.level == 1), "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="notebook", title=title, headings=headings
    )


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    if "cells" in notebook:
        return list(notebook["cells"])
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]] if "worksheets" in notebook else []


def _language(notebook: dict[str, Any]) -> str:
    told = notebook.get("metadata", {})
    return str(told.get("language_info", {}).get("name") or told.get("kernelspec", {}).get("language") or "")


def _parts(cell: dict[str, Any], language: str) -> Iterator[str]:
    source = _joined(cell.get("source", cell.get("input", ""))).strip("\n")
    if cell.get("cell_type") != "code":
        level = cell.get("level", 1) if cell.get("cell_type") == "heading" else 0
        yield f"{'#' * int(level)} {source}" if level else source
        return
    if source.strip():
        yield _fenced(source, language)
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        told = _joined(output.get("text", data.get("text/plain", ""))).strip("\n")
        if told.strip():
            yield _fenced(told if len(told) <= _OUTPUT_CHARS else told[:_OUTPUT_CHARS] + "\n...", "")


def _fenced(text: str, language: str) -> str:
    """As a code block whose fence is longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
