"""One writer that changes everything with each version, and readers that know what each version holds.

Run by test_concurrency.py as ``concurrency_child.py write ROOT STOP`` and ``... read ROOT SECONDS ROUNDS SEED``.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from c2vsearch.collection import Collection, sweep
from c2vsearch.config import SearchConfig
from c2vsearch.errors import IndexNotFound
from c2vsearch.records import Chunk
from c2vsearch.search.pipeline import search
from c2vsearch.search.query import Query
from tests.collection.builder import ENCODER, Model, chunks_of, put, writer

KEEP_SECONDS = 3.0
MODES = ("dense", "bm25", "hybrid")


def held_by(version: int) -> Model:
    """What a version holds: other sources, other numbers of chunks, and its number in every text."""
    model: Model = {}
    for number in range(4 + version % 3):
        name = f"{number}.md"
        model[name] = [
            Chunk(**{**_fields(chunk), "text": f"ferry v{version} {chunk.text}", "hash": f"{version} {chunk.id}"})
            for chunk in chunks_of(name, 1 + (version + number) % 5, seed=version)
        ]
    return model


def _fields(chunk: Chunk) -> dict[str, object]:
    return {name: getattr(chunk, name) for name in chunk.__dataclass_fields__}


def write(root: Path, stop: Path) -> int:
    """Commit until a file appears; the number of the last version. Compaction and sweeping happen on the way."""
    sweep.KEEP_SECONDS = KEEP_SECONDS
    version = Collection.open(root).manifest.version if root.exists() else 0
    while not stop.exists():
        version += 1
        model = held_by(version)
        with writer(root) as target:
            for source in set(target.sources) - set(model):
                target.remove_source(source)
            for chunks in model.values():
                put(target, chunks)
            assert target.commit(compact=version % 7 == 0) == version
    return version


def ask(collection: Collection) -> None:
    """Every answer is that of this version, all of it and nothing else."""
    expected = {c.id: c.text for chunks in held_by(collection.manifest.version).values() for c in chunks}
    assert {chunk.id: chunk.text for chunk in collection.iter_chunks()} == expected
    for mode in MODES:
        hits = search(
            collection,
            Query("ferry"),
            vector=ENCODER.encode_queries(["ferry"])[0],
            config=SearchConfig(mode=mode, k=99, collapse=False),
        )
        assert {hit.id: hit.text for hit in hits} == expected, (mode, collection.manifest.version)
    assert set(collection.sources) == set(held_by(collection.manifest.version))


def read(root: Path, *, seconds: float, rounds: int, chance: random.Random) -> dict[str, object]:
    """Ask in turn a version opened now, one held open through commits, and one opened a while ago and not used yet."""
    counts = {"new": 0, "held": 0, "late": 0, "gone": 0}
    versions: set[int] = set()
    until = time.monotonic() + seconds
    held = waiting = Collection.open(root)
    waited = time.monotonic()
    ask(held)
    while time.monotonic() < until or counts["new"] < rounds or len(versions) < 2:
        new = Collection.open(root)
        ask(new)
        versions.add(new.manifest.version)
        counts["new"] += 1
        ask(held)  # all of it is loaded: that its version may be swept by now does not matter
        counts["held"] += 1
        if chance.random() < 0.1:
            held = new
        if chance.random() < 0.3:
            try:
                ask(waiting)
                counts["late"] += 1
            except IndexNotFound as error:
                # Not before its time, which is told in whole seconds, a moment before the version appears.
                if "was removed while it was open" not in str(error) or time.monotonic() - waited < KEEP_SECONDS - 1.5:
                    raise
                counts["gone"] += 1
            waited, waiting = time.monotonic(), Collection.open(root)
    return {**counts, "versions": len(versions)}


if __name__ == "__main__":
    role, place, *rest = sys.argv[1:]
    if role == "write":
        sys.stdout.write(f"{write(Path(place), Path(rest[0]))}\n")
    else:
        told = read(Path(place), seconds=float(rest[0]), rounds=int(rest[1]), chance=random.Random(rest[2]))
        sys.stdout.write(json.dumps(told) + "\n")
