"""Metadata as typed columns: what goes in comes out, in the narrowest type that holds every value of its field."""

from __future__ import annotations

import datetime
import hashlib
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import CorruptFile
from c2vsearch.records import Chunk, Fingerprint, Metadata, Value
from c2vsearch.shards import Shard, write_shard
from c2vsearch.shards.fields import as_type, columns, metadata, together, type_of, widened

MADE = Fingerprint("hash", "words-2", 2, "sum")
DAY = datetime.datetime(2024, 5, 1, 8, 30, tzinfo=datetime.UTC)


def chunks(rows: list[Metadata]) -> list[Chunk]:
    return [
        Chunk(
            id=str(n), doc_id="d", source="a.zip", start=0, end=1, text="x", start_line=1, end_line=1, hash=str(n),
            member="in/side.md", kind="markdown", metadata=row,
        )
        for n, row in enumerate(rows)
    ]  # fmt: skip


def written(place: Path, rows: list[Metadata]) -> Path:
    place.mkdir(exist_ok=True)
    vectors = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (len(rows), 1))
    return write_shard(place, chunks(rows), vectors, fingerprint=MADE, chunking=ChunkingConfig()).path


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    rows: list[Metadata] = [
        {"author": "Ada", "year": 1843, "share": 0.5, "open": True, "created": DAY, "tags": ("a", "b")},
        {},
        {"año nuevo": "sí", "empty": ()},
    ]
    path = written(tmp_path / "s", rows)
    read = list(Shard(path).iter_chunks())
    assert read == chunks(rows)
    assert Shard(path).chunks([2, 0]) == [chunks(rows)[2], chunks(rows)[0]]
    kinds = {
        field.name: str(field.type).replace("element", "item")
        for field in pq.read_schema(path)
        if field.name.startswith("meta_")
    }
    assert kinds == {
        "meta_author": "string", "meta_year": "int64", "meta_share": "double", "meta_open": "bool",
        "meta_created": "timestamp[us, tz=UTC]", "meta_tags": "list<item: string>", "meta_año nuevo": "string",
        "meta_empty": "list<item: string>",
    }  # fmt: skip


def test_a_field_of_several_types_is_widened_and_loses_nothing(tmp_path: Path) -> None:
    rows: list[Metadata] = [
        {"a": 1, "b": 1, "c": "x", "d": 2**53 + 1, "e": True},
        {"a": 0.5, "b": "one", "c": ("y", "z"), "d": 0.5, "e": DAY},
    ]
    read = [chunk.metadata for chunk in Shard(written(tmp_path / "s", rows)).iter_chunks()]
    assert read == [
        {"a": 1.0, "b": "1", "c": ("x",), "d": "9007199254740993", "e": "true"},
        {"a": 0.5, "b": "one", "c": ("y", "z"), "d": "0.5", "e": DAY.isoformat()},
    ]


def test_rows_of_shards_with_other_fields_stand_in_one_table() -> None:
    parts: list[list[Metadata]] = [[{"n": 1, "only": "x"}], [{"n": 0.5, "t": DAY}], [{}], [{"t": "soon"}]]
    tables = [pa.table({"id": [n], **columns(rows)}) for n, rows in enumerate(parts)]
    found = [metadata({k: v for k, v in row.items() if v is not None}) for row in together(tables).to_pylist()]
    assert found == [{"n": 1.0, "only": "x"}, {"n": 0.5, "t": DAY.isoformat()}, {}, {"t": "soon"}]


VALUES = st.one_of(
    st.text(max_size=8), st.booleans(), st.integers(), st.floats(allow_nan=False),
    st.datetimes(timezones=st.just(datetime.UTC)), st.lists(st.text(max_size=4), max_size=3).map(tuple),
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_each_value_is_what_its_type_makes_of_it(values: list[Value]) -> None:
    [column] = columns([{"x": value} for value in values]).values()
    found = [metadata({"meta_x": value})["x"] for value in column.to_pylist()]
    kind = widened(map(type_of, values))
    if kind == "float" and any(isinstance(v, int) and abs(v) > 2**53 for v in values):
        kind = "text"
    assert found == [as_type(value, kind) for value in values]
    if kind != "text" and kind != "list":
        assert all(type(a) is float or a == b for a, b in zip(found, values, strict=True))
    assert all(not isinstance(value, float) or math.isfinite(value) or kind == "float" for value in found)


def test_a_stranger_among_the_columns_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s", [{"a": 1}])
    table = pq.read_table(path)
    for name, column in (("other", pa.array([1])), ("meta_b", pa.array([b"x"]))):
        crafted = table.append_column(name, column).replace_schema_metadata(table.schema.metadata)
        buffer = pa.BufferOutputStream()
        pq.write_table(crafted, buffer, write_page_checksum=True)
        data = buffer.getvalue().to_pybytes()
        place = tmp_path / f"{hashlib.sha256(data).hexdigest()[:16]}.parquet"
        place.write_bytes(data)
        with pytest.raises(CorruptFile, match="other columns"):
            Shard(place)
