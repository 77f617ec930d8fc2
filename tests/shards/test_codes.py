"""Codes of token states in a shard: they come back as they were, and a shard without them is what it was before."""

from __future__ import annotations

import dataclasses
import random
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.records import Chunk
from c2vsearch.shards import Shard, ShardFile, write_shard, write_table
from c2vsearch.shards.checked import block_hashes
from c2vsearch.shards.codes import joinable
from c2vsearch.shards.writer import ROWS_PER_GROUP
from tests.shards.test_shard import FINGERPRINT, chunk, opened, unit_rows

CHANCE = random.Random(0)
# Every third row has none, one has none of any length.
CODES = [None if n % 3 == 1 else b"" if n == 5 else CHANCE.randbytes(CHANCE.randint(1, 300)) for n in range(600)]


def chunks(count: int) -> list[Chunk]:
    return [dataclasses.replace(chunk(n), metadata={"year": n} if n % 2 else {}) for n in range(count)]


def write(place: Path, codes: list[bytes | None] | None, *, count: int = 600, codec: str = "rotated-4") -> ShardFile:
    return write_shard(
        place, chunks(count), unit_rows(count), fingerprint=FINGERPRINT, chunking=ChunkingConfig(), codes=codes,
        codec=codec,
    )  # fmt: skip


def test_codes_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    with opened(write(tmp_path, CODES)) as shard:
        assert shard.token_codec == "rotated-4"
        assert shard.token_codes(range(600)) == CODES
        wanted = random.Random(1).choices(range(600), k=80)
        assert shard.token_codes(wanted) == [CODES[row] for row in wanted]
        assert shard.token_codes([]) == []
        assert list(shard.iter_chunks()) == chunks(600)
        assert shard.chunks(wanted) == [chunks(600)[row] for row in wanted]
        np.testing.assert_array_equal(shard.vectors(), unit_rows(600).astype(np.float16))


def test_pyarrow_alone_reads_them_and_row_groups_stay_small(tmp_path: Path) -> None:
    file = pq.ParquetFile(write(tmp_path, CODES).path)
    names = file.schema_arrow.names
    assert names[names.index("embedding") :] == ["embedding", "token_codes", "meta_year"]
    assert file.read(["token_codes"])["token_codes"].to_pylist() == CODES
    assert file.schema_arrow.metadata[b"c2vsearch.format"] == b"3"
    assert file.schema_arrow.metadata[b"c2vsearch.token_codec"] == b"rotated-4"
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [ROWS_PER_GROUP] * 4 + [600 - 4 * ROWS_PER_GROUP]
    column = groups[0].column(names.index("token_codes"))
    assert column.path_in_schema == "token_codes"
    assert (column.compression, column.statistics, column.has_dictionary_page) == ("UNCOMPRESSED", None, False)


@pytest.mark.parametrize("codes", [None, [None] * 600])
def test_without_codes_it_is_the_file_that_earlier_versions_read(
    tmp_path: Path, codes: list[bytes | None] | None
) -> None:
    plain = write_shard(tmp_path / "a", chunks(600), unit_rows(600), fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    file = write(tmp_path / "b", codes)
    assert file.path.read_bytes() == plain.path.read_bytes()
    schema = pq.ParquetFile(file.path).schema_arrow
    assert schema.metadata[b"c2vsearch.format"] == b"2"
    assert "token_codes" not in schema.names
    assert b"c2vsearch.token_codec" not in schema.metadata
    with opened(file) as shard:
        assert shard.token_codec == ""
        assert shard.token_codes([3, 1]) == [None, None]


def test_codes_that_nobody_made_or_of_other_chunks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="there are token codes without a codec; expected the identity of what"):
        write(tmp_path, CODES, codec="")
    with pytest.raises(InvalidConfig, match="there are 599 token codes for 600 chunks; expected one, or None, for"):
        write(tmp_path, CODES[1:])
    with opened(write(tmp_path / "there", CODES)) as shard:
        table = shard.take([0, 2])
    with pytest.raises(InvalidConfig, match="without a codec"):
        write_table(tmp_path, table, fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_copied_rows_keep_their_codes_and_rows_without_leave_the_column_out(tmp_path: Path) -> None:
    with opened(write(tmp_path, CODES)) as shard:
        kept, bare = shard.take([5, 599, 4, 300]), shard.take([1, 4, 7])
    settings = {"fingerprint": FINGERPRINT, "chunking": ChunkingConfig(), "codec": "rotated-4"}
    with opened(write_table(tmp_path, kept, **settings)) as copy:  # type: ignore[arg-type]
        assert copy.token_codes(range(4)) == [CODES[row] for row in (5, 599, 4, 300)]
        assert list(copy.iter_chunks()) == [chunks(600)[row] for row in (5, 599, 4, 300)]
    with opened(write_table(tmp_path, bare, **settings)) as copy:  # type: ignore[arg-type]
        assert (copy.token_codec, copy.token_codes([0])) == ("", [None])
        assert list(copy.iter_chunks()) == [chunks(600)[row] for row in (1, 4, 7)]


def test_rows_of_another_codec_lose_their_codes_and_nothing_else(tmp_path: Path) -> None:
    with opened(write(tmp_path, CODES)) as shard:
        table = shard.take(range(6))
    assert joinable(table, codec="rotated-4", wanted="rotated-4") is table
    other = joinable(table, codec="rotated-4", wanted="rotated-5")
    assert other.schema.equals(table.schema)
    assert other["token_codes"].to_pylist() == [None] * 6
    assert other.drop_columns(["token_codes"]).equals(table.drop_columns(["token_codes"]))
    bare = joinable(table, codec="rotated-4", wanted="")
    assert bare.equals(table.drop_columns(["token_codes"]))
    assert joinable(bare, codec="", wanted="") is bare
    assert joinable(bare, codec="", wanted="rotated-4").equals(other)


def test_any_flipped_bit_in_them_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path, CODES)
    data = file.path.read_bytes()
    chance = random.Random(2)
    for row in chance.sample([n for n, code in enumerate(CODES) if code and len(code) > 20], k=20):
        place = data.index(CODES[row]) + chance.randrange(20)  # type: ignore[arg-type]
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        file.path.write_bytes(damaged)
        with pytest.raises(CorruptFile, match=re.escape(str(file.path))), opened(file) as shard:
            shard.token_codes([row])


@pytest.mark.parametrize(
    ("codes", "change"),
    [
        (CODES, {b"c2vsearch.format": b"2"}),
        (CODES, {b"c2vsearch.token_codec": b""}),
        (None, {b"c2vsearch.format": b"3", b"c2vsearch.token_codec": b"x"}),
        (None, {b"c2vsearch.token_codec": b"x"}),
    ],
    ids=["the column in format 2", "codes of no codec", "format 3 without the column", "a codec without codes"],
)
def test_a_shard_that_is_neither_one_nor_the_other_is_refused(
    tmp_path: Path, codes: list[bytes | None] | None, change: dict[bytes, bytes]
) -> None:
    table = pq.read_table(write(tmp_path, codes).path, partitioning=None)
    path = tmp_path / "crafted.parquet"
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **change}), path, write_page_checksum=True)
    data = path.read_bytes()
    with pytest.raises(CorruptFile, match="has other columns than a shard"):
        Shard(path, size_bytes=len(data), blocks=block_hashes(data))
