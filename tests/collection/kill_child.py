"""Writes to an index without end, until it is killed: syncs, compaction, vacuum, restore, repair. Run by test_kill.py.

A source named MARK says how many changes an index has seen, so what it must hold can be told from the index alone.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from c2vsearch.collection import Collection
from c2vsearch.collection.maintenance import compact, repair, restore, vacuum
from tests.collection.builder import SMALL, Model, change, chunks_of, put, writer

MARK = "mark.md"


class Nobody:
    """A writer that writes nothing, to replay changes on the model alone."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **settings: None


def replayed(changes: int) -> Model:
    """What an index holds after so many changes."""
    model: Model = {}
    for seed in range(1, changes + 1):
        model = change(Nobody(), model, seed=seed)  # type: ignore[arg-type]
    return {**model, MARK: chunks_of(MARK, 1, seed=changes)}


def seen(collection: Collection) -> int:
    """How many changes an index has seen."""
    [mark] = [chunk for chunk in collection.iter_chunks() if chunk.source == MARK]
    return int(mark.id.split("-")[1])


def damaged(root: Path) -> Path:
    """Where the name stands of a segment that was damaged here and is not mended yet."""
    return root.with_name(f"{root.name}.damaged")


def damage_and_repair(root: Path) -> None:
    """Spoil a segment, having said so, and make it anew."""
    name = Collection.open(root).manifest.vectors[0].file.name
    damaged(root).write_text(name)
    (root / name).unlink()
    assert repair(root, indexing=SMALL) == [name]
    damaged(root).unlink()


def main(root: Path) -> None:
    """Each change is told once it is committed."""
    number = seen(Collection.open(root)) if root.exists() else 0
    model = replayed(number)
    while True:
        number += 1
        with writer(root) as target:
            model = {**change(target, model, seed=number), MARK: chunks_of(MARK, 1, seed=number)}
            put(target, model[MARK])
            target.commit()
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        chance = random.Random(number).random()
        if chance < 0.2:
            compact(root, indexing=SMALL)
        elif chance < 0.4:
            vacuum(root, keep_versions=1, keep_seconds=0.0)
        elif chance < 0.6:
            damage_and_repair(root)
        elif chance < 0.7:
            restore(root, Collection.open(root).manifest.version)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
