"""Small runs: pairs that can be learnt, backbones made on the spot, a configuration over both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from c2vsearch.training.config import TrainingConfig, make_config
from tests.tiny_models import BERT, DECODERS, save_backbone

ANIMALS = "fox dog quick brown lazy jumps over the".split()
MARKS = "find a query that answers : . ,".split()


def learnable_pairs(count: int = 8, *, negatives: int = 0, scored: bool = False) -> list[dict[str, Any]]:
    """A query of one word is answered by another word, always the same; negatives are other answers."""
    rows = []
    for place in range(count):
        row: dict[str, Any] = {"query": ANIMALS[place], "positive": f"{MARKS[place]} text {MARKS[place]}"}
        if negatives:
            row["negatives"] = [f"task {MARKS[(place + 1 + n) % count]} task" for n in range(negatives)]
        if scored:
            row["scores"] = [0.9, *(0.1 for _ in range(negatives))]
        rows.append(row)
    return rows


def write_pairs(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_run(
    place: Path, *, kind: str = "llama", rows: list[dict[str, Any]] | None = None, **changes: Any
) -> TrainingConfig:
    """A run of a few steps on the CPU; ``changes`` are ``table__key`` settings."""
    if not (place / kind).exists():
        save_backbone(place / "bert", BERT)
        save_backbone(place / kind, DECODERS[kind])
    data: dict[str, dict[str, Any]] = {
        "model": {"encoder": str(place / "bert"), "decoder": str(place / kind), "name": "tiny"},
        "data": {"files": [str(write_pairs(place / "pairs.jsonl", rows or learnable_pairs()))]},
        "loss": {"temperature": 0.1},
        "lora": {},
        "training": {
            "output": str(place / "run"),
            "steps": 4,
            "batch_size": 4,
            "mini_batch_size": 2,
            "lr": 0.01,
            "warmup_steps": 0,
            "precision": "fp32",
            "log_every": 1,
            "save_every": 100,
        },
    }
    for key, value in changes.items():
        table, _, name = key.partition("__")
        data[table][name] = value
    return make_config(data)
