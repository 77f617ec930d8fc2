"""A shard gives back what was written, by value, and any flipped bit of its data is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import CorruptFile
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards import Shard, write_shard
from c2vsearch.shards.schema import decode_source, encode_source

FINGERPRINT = Fingerprint("m", "r", 8, "concat", precision="int8")


def make(count: int) -> tuple[list[Chunk], np.ndarray]:
    rows = np.random.default_rng(1).standard_normal((count, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chunks = [
        Chunk(id=str(n), doc_id="d", source=f"s/{n % 3}\udcff.md", start=n, end=n + 5, text=f"text {n} é", start_line=n,
              end_line=n + 1, page=n if n % 2 else None, heading_path=("A",) * (n % 3), title="T", context="C", tokens=n, hash=f"h{n}")
        for n in range(count)
    ]  # fmt: skip
    return chunks, rows


@pytest.mark.parametrize("count", [1, 512, 1300])
def test_round_trip(tmp_path: Path, count: int) -> None:
    chunks, rows = make(count)
    path = write_shard(tmp_path, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    shard = Shard(path)
    assert len(shard) == count
    assert list(shard.iter_chunks()) == chunks
    np.testing.assert_array_equal(shard.vectors(), rows.astype(np.float16))
    picked = np.random.default_rng(2).integers(0, count, 40).tolist()
    assert shard.chunks(picked) == [chunks[row] for row in picked]
    np.testing.assert_array_equal(shard.vectors_at(picked), rows.astype(np.float16)[picked])
    assert shard.column("hash") == [chunk.hash for chunk in chunks]
    assert (shard.fingerprint, shard.fingerprint.precision) == (FINGERPRINT, "int8")


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    chunks, rows = make(9)
    first, second = (
        write_shard(tmp_path, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig()) for _ in "12"
    )
    assert first == second
    assert len(list(tmp_path.iterdir())) == 1


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    chunks, rows = make(4)
    path = write_shard(tmp_path, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    table = pq.read_table(path)
    assert table.column("text").to_pylist() == [chunk.text for chunk in chunks]
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: halffloat>[8]"


@given(
    st.text(alphabet=st.characters(codec=None)).map(lambda t: t.encode("utf-8", "replace").decode())
    | st.binary().map(lambda b: b.decode("utf-8", "surrogateescape"))
)
def test_names_are_stored_reversibly(source: str) -> None:
    stored = encode_source(source)
    stored.encode("utf-8")
    assert decode_source(stored) == source


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    chunks, rows = make(600)
    path = write_shard(tmp_path, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    data = path.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    generator = np.random.default_rng(5)
    silent = 0
    for _ in range(60):
        damaged = bytearray(data)
        damaged[int(generator.integers(4, len(data) - footer))] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(damaged)
        try:
            shard = Shard(path)
            same = list(shard.iter_chunks()) == chunks and (shard.vectors() == rows.astype(np.float16)).all()
        except CorruptFile:
            continue
        silent += not same
    assert silent == 0
