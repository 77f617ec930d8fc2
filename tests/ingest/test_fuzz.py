"""Broken files of every format: each ends as documents or with a reason, and the process that asks never does.

The long run: `C2VSEARCH_FUZZ_FILES=50000 python -m pytest -m slow tests/ingest/test_fuzz.py` (20,000 by default).
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from c2vsearch.chunking import chunk_document
from c2vsearch.collection import Collection
from c2vsearch.config import ChunkingConfig, ReadingConfig
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.indexing import index_directory
from c2vsearch.ingest import read_file
from c2vsearch.ingest.formats import READERS
from c2vsearch.ingest.workers import Workers
from c2vsearch.records import Document, FileReport, SourceFile
from tests.ingest.mutations import mutated
from tests.ingest.seeds import MAKERS, seeds

MANY = int(os.environ.get("C2VSEARCH_FUZZ_FILES", "20000"))
FIRST = int(os.environ.get("C2VSEARCH_FUZZ_FIRST", "0"))
# What a reader must not do, however broken the file is. `detail` says which reader, and the name which file.
FAULTS = {"crashed", "timeout", "out-of-memory"}
STATES = {"added", "duplicate", "empty", "skipped", "failed"}


def broken(place: Path, count: int, *, first: int = 0) -> list[SourceFile]:
    """Files whose number says how they were made; one in ten has the suffix of another format."""
    sound = seeds()
    suffixes, others = list(sound), list(sound.values())
    files = []
    for number in range(first, first + count):
        rng = random.Random(number)
        suffix = suffixes[number % len(suffixes)]
        data = mutated(sound[suffix], others, rng)
        shown = rng.choice(suffixes) if rng.random() < 0.1 else suffix
        path = place / f"{number:06}{shown}"
        path.write_bytes(data)
        files.append(SourceFile(path.name, str(path), len(data), 0))
    return files


def test_each_reader_has_a_seed_and_reads_it(tmp_path: Path) -> None:
    without = {reader.__name__ for reader in READERS.values()} - {
        READERS[last].__name__ for suffix in MAKERS if (last := f".{suffix.rpartition('.')[2]}") in READERS
    }
    assert not without, "add a sound file for each to tests/ingest/seeds.py"
    for suffix, data in seeds().items():
        if f".{suffix.rpartition('.')[2]}" not in READERS:
            continue
        path = tmp_path / f"a{suffix}"
        path.write_bytes(data)
        try:
            items = list(read_file(SourceFile(path.name, str(path), len(data), 0)))
        except MissingDependency:
            continue
        assert any(isinstance(item, Document) and item.text.strip() for item in items), suffix
        assert not [item for item in items if isinstance(item, FileReport)], suffix


def ended(items: list[Document | FileReport]) -> list[str]:
    """What each thing in a file came to; what was read has to be such as can be cut."""
    for document in items:
        if isinstance(document, Document):
            chunk_document(document, tokenizer=WordTokenizer(), config=ChunkingConfig())
    return [item.reason or item.status if isinstance(item, FileReport) else "document" for item in items]


def test_a_few_hundred_broken_files_end_each(tmp_path: Path) -> None:
    files = broken(tmp_path, 300)
    ends: dict[str, list[str]] = {}
    with Workers(ReadingConfig(timeout_seconds=30)) as crew:
        for file, items in crew.read(files):
            try:
                ends[file.source] = ended(list(items))
            except UnreadableDocument as error:
                ends[file.source] = [error.reason]
            except MissingDependency as error:
                ends[file.source] = [f"needs-extra:{error.extra}"]
    assert list(ends) == [file.source for file in files]
    assert {name: end for name, end in ends.items() if FAULTS & set(end)} == {}
    assert sum("document" in end for end in ends.values()) > 50
    assert sum(end[:1] != ["document"] for end in ends.values()) > 50


def test_what_is_read_here_raises_nothing_else(tmp_path: Path) -> None:
    """The readers that run in the process that indexes, and what is around them, without a net."""
    for file in broken(tmp_path, 300, first=1_000_000):
        if not file.source.endswith((".md", ".txt", ".rst", ".csv", ".tsv", ".json", ".jsonl")):
            continue
        reason = ""
        try:
            list(read_file(file))
        except UnreadableDocument as error:
            reason = error.reason
        except MissingDependency as error:
            reason = error.extra
        assert reason not in FAULTS, file.source


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_broken_files_are_accounted_for(tmp_path: Path) -> None:
    docs, place = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    files = broken(docs, MANY, first=FIRST)
    threads = threading.active_count()
    report = index_directory(docs, index=place, encoder="hash", reading=ReadingConfig(timeout_seconds=30))
    of_files = [file for file in report.files if not file.member]
    assert Counter(file.source for file in of_files) == Counter(file.source for file in files)
    assert {file.status for file in of_files} <= STATES
    sources = Collection.open(place).sources
    assert set(sources) == {file.source for file in files}
    indexed = {file.source for file in of_files if file.status in {"added", "duplicate"}}
    assert {source for source, state in sources.items() if state.status == "indexed"} == indexed
    assert {chunk.source for chunk in Collection.open(place).iter_chunks()} == indexed
    assert threading.active_count() == threads
    faults = [
        f"{file.source}!{file.member}: {file.reason}: {file.detail}"
        for file in report.files
        # The header of an .xz file may ask for more memory than there is.
        if file.reason in FAULTS and not (file.reason == "out-of-memory" and ".xz" in file.source)
    ]
    assert not faults, "\n".join(faults)
