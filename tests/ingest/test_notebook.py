"""Notebooks of both formats: cells in order, code fenced, what was printed after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, SourceFile


def read(place: Path, data: object) -> Document:
    path = place / "a.ipynb"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    [document] = read_file(SourceFile("a.ipynb", str(path), 0, 0))
    assert isinstance(document, Document)
    return document


def test_cells_in_order(tmp_path: Path) -> None:
    code = {
        "cell_type": "code", "source": ["x = 1\n", "print(x)"],
        "outputs": [
            {"output_type": "stream", "text": ["1\n"]},
            {"output_type": "display_data", "data": {"text/plain": "<Figure>", "image/png": "iVBOR"}},
        ],
    }  # fmt: skip
    cells = [
        {"cell_type": "markdown", "source": "# Ferries\n\n## Times"},
        code,
        {"cell_type": "raw", "source": ["End."]},
    ]
    document = read(tmp_path, {"cells": cells, "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4})
    assert document.text == (
        "# Ferries\n\n## Times\n\n```python\nx = 1\nprint(x)\n```\n\n```\n1\n```\n\n```\n<Figure>\n```\n\nEnd."
    )
    assert document.title == "Ferries"
    assert [(h.level, h.title, document.text[h.start :][: len(h.title) + 2]) for h in document.headings] == [
        (1, "Ferries", "# Ferries"), (2, "Times", "## Time"),
    ]  # fmt: skip


def test_the_older_format_and_fences_in_code(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": 's = """\n```\n"""', "outputs": []},
    ]
    document = read(tmp_path, {"worksheets": [{"cells": cells}], "nbformat": 3})
    assert document.text == '## Old\n\n````\ns = """\n```\n"""\n````'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "broken-notebook"),
        ("[1]", "broken-notebook"),
        ({"cells": []}, "no-text"),
        ({"cells": 3}, "broken-notebook"),
    ],
)
def test_what_is_no_notebook(tmp_path: Path, data: object, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path, data)
    assert caught.value.reason == reason
