"""Tables of metadata beside the files: typed values by path, and what is wrong told with its line."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.ingest.annotations import read_annotations


def table(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_have_the_type_they_spell(tmp_path: Path) -> None:
    text = "\ufeffpath,team,year,share,open,due,code\n./a.md,rescue,2024,0.5,TRUE,2024-05-01T10:00:00+02:00,007\nb.md,,,,,,\n"
    found = read_annotations(table(tmp_path, "m.csv", text))
    due = datetime.datetime(2024, 5, 1, 8, tzinfo=datetime.UTC)
    assert found == {
        "a.md": {"team": "rescue", "year": 2024, "share": 0.5, "open": True, "due": due, "code": "007"},
        "b.md": {},
    }


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    text = '{"path": "a.md", "n": 1, "tags": ["x", "y"], "deep": {"k": 1}, "none": null}\n\n'
    found = read_annotations(table(tmp_path, "m.jsonl", text))
    assert found == {"a.md": {"n": 1, "tags": ("x", "y"), "deep": '{"k": 1}'}}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("m.csv", "file,team\na,b\n", "expected a column 'path'"),
        ("m.csv", "path,team\na.md,b,c\n", "line 2: a row of another length"),
        ("m.csv", "path,team\na.md,b\n./a.md,c\n", "line 3: './a.md' was already there"),
        ("m.csv", "path,team\n,b\n", "line 2: no 'path'"),
        ("m.jsonl", '{"path": "a"}\n[1]\n', "line 2: '[1]'; expected a JSON object"),
        ("m.jsonl", '{"path": "a"}\n{\n', "line 2"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_annotations(table(tmp_path, name, text))
    assert told in str(caught.value)


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read"):
        read_annotations(tmp_path / "none.csv")
