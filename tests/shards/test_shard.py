from __future__ import annotations

import dataclasses
import random
import re
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import CorruptFile, IncompatibleVersion, InvalidConfig
from c2vsearch.records import Chunk, Fingerprint
from c2vsearch.shards import Shard, ShardFile, write_shard, write_table
from c2vsearch.shards.checked import BLOCK_BYTES, CheckedFile, block_hashes
from c2vsearch.shards.writer import ROWS_PER_GROUP

DIM = 24
FINGERPRINT = Fingerprint(name="hash", revision="1", dim=DIM, pooling="sum")


def unit_rows(count: int, *, seed: int = 0, dim: int = DIM) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chunk(number: int) -> Chunk:
    return Chunk(
        id=f"{number:016x}", doc_id=f"d{number // 7}", source=f"dir/caf\udce9 {number // 7}%\n.md",
        start=number * 2**33, end=number * 2**33 + 5, text=f"text {number} 日本 \0 é", start_line=number + 1,
        end_line=number + 3,
        page=None if number % 3 else number, heading_path=("Top", f"Section {number}")[: number % 3], title="Tïtle",
        context="Tïtle > Top", tokens=number % 50, hash=f"{number:032x}",
    )  # fmt: skip


def write(directory: Path, count: int = 1300) -> tuple[ShardFile, list[Chunk], np.ndarray]:
    chunks, rows = [chunk(number) for number in range(count)], unit_rows(count)
    return write_shard(directory, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig()), chunks, rows


def opened(file: ShardFile) -> Shard:
    return Shard(file.path, size_bytes=file.size_bytes, blocks=file.blocks)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    file, chunks, rows = write(tmp_path)
    with opened(file) as shard:
        assert len(shard) == file.rows == 1300
        assert list(shard.iter_chunks()) == chunks
        wanted = random.Random(0).choices(range(1300), k=90)
        assert shard.chunks(wanted) == [chunks[row] for row in wanted]
        assert shard.chunks([]) == []
        np.testing.assert_array_equal(shard.vectors(), rows.astype(np.float16))
        np.testing.assert_array_equal(shard.vectors_at(wanted), rows[wanted].astype(np.float16))
        assert shard.column("source") == [chunk.source for chunk in chunks]
        assert shard.column("hash") == [chunk.hash for chunk in chunks]
        assert shard.fingerprint == FINGERPRINT


def test_the_name_is_the_content(tmp_path: Path) -> None:
    first, *_ = write(tmp_path / "a", 20)
    second, *_ = write(tmp_path / "b", 20)
    assert first.path.name == second.path.name == f"{first.sha256[:16]}.parquet"
    assert first.path.read_bytes() == second.path.read_bytes()


def test_the_text_of_a_broken_surrogate_is_kept_in_length(tmp_path: Path) -> None:
    bad = dataclasses.replace(chunk(1), text="a\ud800b", heading_path=("\udfff",))
    file = write_shard(tmp_path, [bad], unit_rows(1), fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    [read] = opened(file).chunks([0])
    assert (read.text, read.heading_path) == ("a\ufffdb", ("\ufffd",))


def test_copied_rows_do_not_change(tmp_path: Path) -> None:
    file, chunks, rows = write(tmp_path)
    keep = [5, 700, 701, 1299]
    table = opened(file).take(keep)
    copy = opened(write_table(tmp_path, table, fingerprint=FINGERPRINT, chunking=ChunkingConfig()))
    assert list(copy.iter_chunks()) == [chunks[row] for row in keep]
    np.testing.assert_array_equal(copy.vectors().view(np.uint16), rows[keep].astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 3.0])
def test_a_row_that_is_no_unit_vector_is_refused_by_name(tmp_path: Path, value: float) -> None:
    rows = unit_rows(3)
    rows[1] = value
    chunks = [dataclasses.replace(chunk(number), source=f"{number}.md") for number in range(3)]
    with pytest.raises(InvalidConfig, match=re.escape("the vector of '1.md' has length")):
        write_shard(tmp_path, chunks, rows, fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    assert not list(tmp_path.iterdir())


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"shape \(2, 24\); expected \(3, 24\)"):
        write_shard(
            tmp_path, [chunk(n) for n in range(3)], unit_rows(2), fingerprint=FINGERPRINT, chunking=ChunkingConfig()
        )


def use(path: Path, size_bytes: int, blocks: str) -> None:
    """Everything a reader reads."""
    with Shard(path, size_bytes=size_bytes, blocks=blocks) as shard:
        list(shard.iter_chunks())
        shard.vectors()


def test_any_flipped_bit_is_an_error(tmp_path: Path) -> None:
    file, *_ = write(tmp_path, 600)
    data = file.path.read_bytes()
    footer = len(data) - 3000
    chance = random.Random(1)
    places = [chance.randrange(len(data)) for _ in range(150)] + [
        chance.randrange(footer, len(data)) for _ in range(50)
    ]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        file.path.write_bytes(damaged)
        with pytest.raises(CorruptFile, match=re.escape(str(file.path))):
            use(file.path, file.size_bytes, file.blocks)
        with pytest.raises(CorruptFile, match="not the file of that name"):
            Shard(file.path)


@pytest.mark.parametrize("size", [0, 1, 100, -1, +1])
def test_another_size_is_an_error(tmp_path: Path, size: int) -> None:
    file, *_ = write(tmp_path, 20)
    data = file.path.read_bytes() + b"\0"
    file.path.write_bytes(data[: file.size_bytes + size] if size in (-1, 1) else data[:size])
    with pytest.raises(CorruptFile, match=f"expected {file.size_bytes}"):
        use(file.path, file.size_bytes, file.blocks)


def test_a_file_cut_short_while_open_is_an_error(tmp_path: Path) -> None:
    file, *_ = write(tmp_path)
    shard = opened(file)
    file.path.write_bytes(file.path.read_bytes()[:5000])
    with pytest.raises(CorruptFile, match="became shorter|damaged"):
        shard.vectors()


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="missing; restore the file, or build the index again"):
        Shard(tmp_path / "gone.parquet", size_bytes=5, blocks="0" * 16)


def foreign(path: Path, table: pa.Table) -> Shard:
    pq.write_table(table, path)
    data = path.read_bytes()
    return Shard(path, size_bytes=len(data), blocks=block_hashes(data))


def test_a_table_that_is_no_shard_is_refused(tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    with pytest.raises(IncompatibleVersion, match=r"shard format \?"):
        foreign(tmp_path / "a.parquet", table)
    with pytest.raises(IncompatibleVersion, match="shard format 4; this version of c2vsearch reads 2 and 3: upgrade"):
        foreign(tmp_path / "a.parquet", table.replace_schema_metadata({b"c2vsearch.format": b"4"}))
    for known in (b"2", b"3"):
        with pytest.raises(CorruptFile, match="has no vectors"):
            foreign(tmp_path / "a.parquet", table.replace_schema_metadata({b"c2vsearch.format": known}))
    data = b"not Parquet at all"
    (tmp_path / "b.parquet").write_bytes(data)
    with pytest.raises(CorruptFile, match="damaged"):
        Shard(tmp_path / "b.parquet", size_bytes=len(data), blocks=block_hashes(data))


def test_threads_may_share_a_shard(tmp_path: Path) -> None:
    file, chunks, rows = write(tmp_path)
    shard = opened(file)
    wrong: list[int] = []

    def read(seed: int) -> None:
        for row in random.Random(seed).choices(range(1300), k=25):
            if (
                shard.chunks([row]) != [chunks[row]]
                or (shard.vectors_at([row])[0] != rows[row].astype(np.float16)).any()
            ):
                wrong.append(row)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_reading_blocks_equals_reading_bytes(tmp_path: Path) -> None:
    data = random.Random(0).randbytes(2 * BLOCK_BYTES + 77)
    (tmp_path / "x").write_bytes(data)
    with CheckedFile(tmp_path / "x", size_bytes=len(data), blocks=block_hashes(data)) as file:
        chance = random.Random(2)
        for _ in range(60):
            start, size = chance.randrange(len(data) + 10), chance.choice([0, 1, 1000, BLOCK_BYTES, 3 * BLOCK_BYTES])
            file.seek(start)
            assert file.read(size) == data[start : start + size]
        file.seek(-7, 2)
        assert file.read() == data[-7:]


@pytest.mark.parametrize("numbers", [[0], [3, 70, 185], [10**9], []])
def test_the_places_of_files_are_found_among_all_rows(tmp_path: Path, numbers: list[int]) -> None:
    file, chunks, _ = write(tmp_path)
    sources = {chunk(7 * number).source for number in numbers}
    with opened(file) as shard:
        assert shard.places(sources) == [
            (row, each.source, each.member, each.start) for row, each in enumerate(chunks) if each.source in sources
        ]


def test_row_groups_that_cannot_hold_a_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [dataclasses.replace(chunk(number), source=f"{number:05d}.md") for number in range(2000)]
    file = write_shard(tmp_path, chunks, unit_rows(2000), fingerprint=FINGERPRINT, chunking=ChunkingConfig())
    with opened(file) as shard:
        read, groups = shard._read, []

        def counted(wanted: list[int], columns: list[str] | None) -> pa.Table:
            groups.extend(wanted)
            return read(wanted, columns)

        monkeypatch.setattr(shard, "_read", counted)
        assert [place.row for place in shard.places(["00511.md", "01999.md", "zzz"])] == [511, 1999]
    assert groups == [511 // ROWS_PER_GROUP, 1999 // ROWS_PER_GROUP]
