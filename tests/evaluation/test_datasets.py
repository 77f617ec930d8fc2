"""BEIR files: what is read, and which line is named when it cannot be."""

from __future__ import annotations

import json

import pytest

from c2vsearch.collection import Collection
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import InvalidDataset
from c2vsearch.evaluation import index_corpus, is_beir, read_questions

QUERIES = '{"_id": "1", "text": "late ferry"}\n\n{"_id": 2, "text": "paid claims"}\n{"_id": "3", "text": "unjudged"}\n'


def files(folder, qrels, queries=QUERIES):
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder / "queries.jsonl", folder / "qrels.tsv"


@pytest.mark.parametrize(
    "qrels",
    [
        "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n2\tc\t1\n",
        "1\ta\t2\n2\tc\t1.0\n",
        "\ufeff1\ta\t2\r\n2\tc\t1\r\n",
        "1\t0\ta\t2\n2\t0\tc\t1\n",
    ],
    ids=["header", "bare", "windows", "trec"],
)
def test_judgements_with_and_without_a_header(tmp_path, qrels):
    questions = read_questions(*files(tmp_path, qrels))
    assert questions.qrels == {"1": {"a": 2}, "2": {"c": 1}}
    assert questions.queries == {"1": "late ferry", "2": "paid claims"}


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("1\ta\t1\n2\tb\n", "line 2: expected query-id"),
        ("1\ta\t1\n2\tb\tgood\n", "line 2: expected query-id"),
        ("1\ta\t1\n2\tb\tinf\n", "line 2: expected query-id"),
        ("1\ta\t1\n9\tb\t1\n", "line 2: the query '9' is not in"),
        ("1\ta\t0\n", "judges no document"),
        ("", "judges no document"),
    ],
)
def test_a_wrong_judgement_is_named_by_its_line(tmp_path, qrels, message):
    with pytest.raises(InvalidDataset, match=message):
        read_questions(*files(tmp_path, qrels))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: expected an object"),
        ('"_id text"', "line 2: expected an object"),
        ('{"_id": "2"}', "line 2: expected an object"),
        ('{"_id": "2", "text": null}', "line 2: expected an object"),
        ('{"_id": "1", "text": "again"}', "line 2: the _id '1' was there before"),
    ],
)
def test_a_wrong_query_is_named_by_its_line(tmp_path, line, message):
    with pytest.raises(InvalidDataset, match=message):
        read_questions(*files(tmp_path, "1\ta\t1\n", '{"_id": "1", "text": "ferry"}\n' + line + "\n"))


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path):
    queries, qrels = files(tmp_path, "1\ta\t1\n")
    with pytest.raises(InvalidDataset, match="cannot be read"):
        read_questions(tmp_path / "absent.jsonl", qrels)
    queries.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidDataset, match="cannot be read"):
        read_questions(queries, qrels)


def test_a_corpus_is_indexed_under_its_ids_with_titles_embedded(tmp_path):
    rows = [
        {"_id": "a", "title": "Ferries", "text": "They leave at nine."},
        {"_id": "b", "title": "Only a title", "text": ""},
        {"_id": 7, "text": "Without a title."},
        {"_id": "empty", "title": "", "text": ""},
    ]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert is_beir(tmp_path)
    index_corpus(tmp_path / "corpus.jsonl", tmp_path / "index", encoder=HashEncoder())
    chunks = {chunk.source: chunk.embedded_text for chunk in Collection.open(tmp_path / "index").iter_chunks()}
    expected = {"a": "Ferries\nThey leave at nine.", "b": "Only a title", "7": "Without a title.", "empty": "(empty)"}
    assert chunks == expected
