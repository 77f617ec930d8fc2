"""Chunks with metadata of every type, which one shard holds in one type and the next in another."""

from __future__ import annotations

import datetime
import random
from pathlib import Path
from typing import Any

from c2vsearch.records import Chunk
from tests.collection.builder import ENCODER, WORDS, state, writer

FILES = 40
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Corpus(dict[str, tuple[int, list[Chunk]]]):
    """Of each file its time in seconds, and its chunks."""

    def __repr__(self) -> str:  # hypothesis shows what a test was given
        return f"<{len(self)} files>"


def corpus() -> Corpus:
    found = Corpus()
    for number in range(FILES):
        chance = random.Random(number)
        folder, suffix = chance.choice(["docs", "docs/old", "mail"]), chance.choice([".md", ".txt", ".PDF"])
        source = f"{folder}/{number:02} 50%{suffix}"
        mtime = int((START + datetime.timedelta(days=number)).timestamp())
        found[source] = (mtime, [_chunk(source, at, _metadata(chance), chance) for at in range(chance.randint(1, 6))])
    return found


def build(root: Path, wanted: Corpus) -> None:
    """All of it, then without every fifth file, so that rows are deleted."""
    with writer(root) as target:
        for source in sorted(wanted):
            mtime, chunks = wanted[source]
            target.add(chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]))
            target.record_source(state(source, len(chunks), mtime=mtime * 10**9))
        target.commit()
    with writer(root) as target:
        for source in sorted(wanted)[::5]:
            target.remove_source(source)
            del wanted[source]
        target.commit()


def _chunk(source: str, number: int, metadata: dict[str, Any], chance: random.Random) -> Chunk:
    text = " ".join(chance.choices(WORDS, k=chance.randint(2, 8)))
    return Chunk(
        id=f"{source}-{number}", doc_id=source, source=source, start=number, end=number + len(text), text=text,
        start_line=1, end_line=2, page=number or None, heading_path=("Guide", WORDS[number]), title=WORDS[-number],
        hash=f"{source} {number} {text}", member="a.b/c.MD" if source.startswith("mail") and number % 2 else "",
        kind=source.rpartition(".")[2].lower(), metadata=metadata,
    )  # fmt: skip


def _metadata(chance: random.Random) -> dict[str, Any]:
    """Every value that a field may have; no text of these spells a number, a time or a truth value."""
    moment = START + datetime.timedelta(days=chance.randint(-20, 20), hours=chance.choice([0, 13]))
    every: dict[str, list[Any]] = {
        "team": ["ops", "dev", "o'ps"],
        "year": [2023, 2024, 2024.5, 2025, *chance.choice([[], ["unknown"], [("old", "new")]])],
        "opened": [moment, *chance.choice([[], ["last spring"]])],
        "modified": [moment, "long ago"],
        "created": [START + datetime.timedelta(days=3)],
        "tags": ["urgent", ("urgent", "draft"), ("draft",), ()],
        "done": [True, False],
        "kind": ["memo", "letter"],
        "a.b": [1, 2],
        "a": [3],
    }
    return {name: chance.choice(values) for name, values in every.items() if chance.random() < 0.7}
