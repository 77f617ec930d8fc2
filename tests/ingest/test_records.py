"""Files of records: a document for each, cited by its line; nothing is lost, whatever one of them looks like."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.chunking import chunk_document
from c2vsearch.config import ChunkingConfig, ReadingConfig
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, FileReport, SourceFile


def read(place: Path, name: str, data: bytes | str, **fields: object) -> tuple[list[Document], list[FileReport]]:
    path = place / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    items = list(read_file(SourceFile(name, str(path), 0, 0), config=ReadingConfig(**fields)))  # type: ignore[arg-type]
    documents = [item for item in items if isinstance(item, Document)]
    return documents, [item for item in items if isinstance(item, FileReport)]


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_a_corpus_in_beir_layout(tmp_path: Path) -> None:
    text = lines(
        {"_id": "d1", "title": "Ferries", "text": "The ferry leaves\nat nine.", "metadata": {"url": "u", "n": 1}},
        {"_id": "d2", "title": "", "text": "It is blue.", "metadata": {}},
    )
    documents, refused = read(tmp_path, "corpus.jsonl", text)
    assert [(d.member, d.title, d.text, dict(d.metadata)) for d in documents] == [
        ("d1", "Ferries", "The ferry leaves\nat nine.", {"url": "u", "n": 1}),
        ("d2", "", "It is blue.", {}),
    ]
    assert refused == []
    assert len({document.id for document in documents}) == 2
    chunks = [
        chunk
        for document in documents
        for chunk in chunk_document(document, tokenizer=WordTokenizer(), config=ChunkingConfig())
    ]
    assert [(chunk.member, chunk.start_line, chunk.end_line) for chunk in chunks] == [("d1", 1, 1), ("d2", 2, 2)]


def test_a_broken_line_costs_that_line(tmp_path: Path) -> None:
    text = "{oops\n" + lines({"text": "One."}) + "\n[1]\n" + lines({"text": " "}, {"text": "Two.\x00", "id": 7})
    documents, refused = read(tmp_path, "a.jsonl", text)
    assert [(d.text, d.member, d.lines[0].line) for d in documents] == [("One.", "1", 2), ("Two.\ufffd", "7", 6)] or [
        (d.text, d.member, d.lines[0].line) for d in documents
    ] == [("One.", "2", 2), ("Two.\ufffd", "7", 6)]
    assert [(r.status, r.reason, r.member) for r in refused] == [
        ("failed", "broken-jsonl", "line 1"), ("failed", "broken-jsonl", "line 4"), ("empty", "", "4"),
    ]  # fmt: skip
    assert refused[0].detail.startswith("line 1: ")


def test_fields_by_name_and_by_path(tmp_path: Path) -> None:
    record = {"ticket": 12, "data": {"body": "Printer on fire.", "who": {"team": "ops"}}, "opened": "2024-05-01"}
    settings = {"text_field": "data.body", "id_field": "ticket", "metadata_fields": ("data.who.team", "opened", "none")}
    [document], _ = read(tmp_path, "a.jsonl", lines(record), **settings)
    assert (document.text, document.member) == ("Printer on fire.", "12")
    assert document.metadata["data.who.team"] == "ops"
    assert str(document.metadata["opened"]) == "2024-05-01 00:00:00+00:00"
    with pytest.raises(UnreadableDocument, match="no field body among: ticket, data, opened") as caught:
        read(tmp_path, "a.jsonl", lines(record), text_field="body")
    assert (caught.value.reason, caught.value.status) == ("no-text-field", "skipped")


def test_an_id_that_comes_twice_loses_nothing(tmp_path: Path) -> None:
    records = [{"id": name, "text": f"t{n}"} for n, name in enumerate(["a", "a", "a#2", "a"])]
    documents, _ = read(tmp_path, "a.jsonl", lines(*records))
    assert len({document.member for document in documents}) == 4
    assert [document.text for document in documents] == ["t0", "t1", "t2", "t3"]


def test_an_array_with_the_line_of_each_element(tmp_path: Path) -> None:
    text = '[\n  {"text": "One."},\n  {"text":\n   "Two."}\n, {"text": "Three."}, {"te'
    documents, refused = read(tmp_path, "a.json", text)
    assert [(d.text, d.lines[0].line) for d in documents] == [("One.", 2), ("Two.", 3), ("Three.", 5)]
    assert [r.reason for r in refused] == ["broken-json"]
    [document], _ = read(tmp_path, "b.json", '{"title": "T", "content": "Alone."}')
    assert (document.title, document.text) == ("T", "Alone.")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.json", "{}", "no-text-field"),
        ("a.json", '{"name": "x", "version": 1}', "no-text-field"),
        ("a.json", "[]", "empty"),
        ("a.json", "[1, 2]", "broken-json"),
        ("a.json", "{", "broken-json"),
        ("a.json", "[" * 100_000, "broken-json"),
        ("a.jsonl", "x\ny\n", "broken-jsonl"),
        ("a.csv", "a,b\n", "no-text"),
        ("a.parquet", b"PAR1 not really", "broken-parquet"),
        ("a.feather", b"ARROW1 not really", "broken-arrow"),
        ("a.arrow", b"neither", "broken-arrow"),
    ],
)
def test_what_gives_no_records(tmp_path: Path, name: str, data: bytes | str, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path, name, data)
    assert caught.value.reason == reason


def test_rows_carry_their_header(tmp_path: Path) -> None:
    text = 'Harbour;Ferry;Note\nBergen;nine;"two\nlines"\n;;\nOslo;ten;;extra\n'
    [document], _ = read(tmp_path, "a.csv", text)
    assert document.text == (
        "Harbour: Bergen | Ferry: nine | Note: two lines\n\nHarbour: Oslo | Ferry: ten | column 4: extra"
    )
    assert [mark.line for mark in document.lines] == [2, 5]
    [document], _ = read(tmp_path, "a.tsv", "a\ta\n1\t2\n")
    assert document.text == "a: 1 | a (2): 2"


def test_a_column_for_the_text_makes_a_row_a_document(tmp_path: Path) -> None:
    documents, _ = read(tmp_path, "a.csv", "id,text\nx,One.\ny,Two.\n")
    assert [(d.member, d.text, d.lines[0].line) for d in documents] == [("x", "One.", 2), ("y", "Two.", 3)]
    documents, _ = read(tmp_path, "a.csv", "id,what,n\nx,One.,1\n", text_field="what", metadata_fields=("n",))
    assert (documents[0].text, dict(documents[0].metadata)) == ("One.", {"n": "1"})


@given(
    st.lists(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc"))), min_size=2, max_size=2), max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_every_cell_of_a_table_comes_out(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["left", "right"], *rows, ["last", "row"]])
    [document], _ = read(tmp_path_factory.mktemp("t"), "a.csv", buffer.getvalue())
    told = [
        unicodedata.normalize("NFC", f"{name}: {' '.join(cell.split())}")
        for row in rows
        for name, cell in zip(("left", "right"), row, strict=True)
        if cell.split()
    ]
    position = 0
    for cell in told:
        position = document.text.index(cell, position) + len(cell)


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow"])
def test_tables_of_arrow(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"id": list(range(2500)), "text": [f"Text {n}." for n in range(2500)], "year": [2000] * 2500})
    sink = pa.BufferOutputStream()
    if suffix == "parquet":
        pq.write_table(table, sink, row_group_size=700)
    else:
        make = pa.ipc.new_file if suffix == "feather" else pa.ipc.new_stream
        with make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=900)
    data = sink.getvalue().to_pybytes()
    documents, refused = read(tmp_path, f"a.{suffix}", data, metadata_fields=("year",))
    assert [(d.member, d.text) for d in documents] == [(str(n), f"Text {n}.") for n in range(2500)]
    assert {d.metadata["year"] for d in documents} == {2000}
    assert documents[1234].lines[0].line == 1235
    assert refused == []


def arrow_file(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def test_an_arrow_file_is_not_believed(tmp_path: Path) -> None:
    late = arrow_file(pa.table({"text": ["Text."], "when": pa.array([10**17], pa.timestamp("s"))}))
    nowhere = arrow_file(pa.table({"text": ["Text."], "when": pa.array([1], pa.timestamp("s", "Mars/City"))}))
    sound = arrow_file(pa.table({"text": ["Text.", "Texts."]}))
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 5, 11))
    assert sound.count(offsets) == 1
    wild = sound.replace(offsets, offsets[:8] + (2_000_000_000).to_bytes(4, "little"))
    for data in (late, nowhere, wild):
        with pytest.raises(UnreadableDocument) as caught:
            read(tmp_path, "a.arrow", data)
        assert caught.value.reason == "broken-arrow"
    assert [document.text for document in read(tmp_path, "a.arrow", sound)[0]] == ["Text.", "Texts."]
