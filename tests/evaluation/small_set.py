"""Sixty documents of words the tiny models know; twelve queries share words with the three that answer each."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = "the quick brown fox jumps over lazy dog instruct query task find a text that answers".split()
SEED = 4


def documents() -> dict[str, str]:
    rng = random.Random(SEED)
    return {f"d{number}": " ".join(rng.choices(WORDS, k=rng.randint(6, 20))) for number in range(60)}


def qrels() -> dict[str, dict[str, int]]:
    rng = random.Random(SEED + 1)
    return {
        f"q{number}": {f"d{answer}": 1 + place % 2 for place, answer in enumerate(rng.sample(range(60), 3))}
        for number in range(12)
    }


def queries() -> dict[str, str]:
    rng, texts = random.Random(SEED + 2), documents()
    return {
        query: " ".join(
            word
            for answer, share in zip(answers, (6, 4, 2), strict=True)
            for word in rng.sample(texts[answer].split(), share)
        )
        for query, answers in qrels().items()
    }


def write_beir(folder: Path) -> Path:
    """The set as a BEIR folder."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": name, "title": "", "text": text} for name, text in documents().items()]
    asked = [{"_id": name, "text": text} for name, text in queries().items()]
    for name, rows in (("corpus.jsonl", corpus), ("queries.jsonl", asked)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = [f"{query}\t{name}\t{score}" for query, answers in qrels().items() for name, score in answers.items()]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder
