"""After an edit most chunks are what they were; and a huge text is cut without holding it all."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Callable

import pytest

from c2vsearch.chunking import chunk_document, iter_chunks
from c2vsearch.config import ChunkingConfig
from c2vsearch.ingest.readers.markdown import markdown_headings
from c2vsearch.records import Document
from tests.chunking.texts import WORD

DRAW = random.Random(7)
WORDS = [f"{first}{second}{third}" for first in "bdfgklm" for second in "aeiou" for third in "nrst"]
CONFIG = ChunkingConfig(max_tokens=128, overlap_tokens=16, context_tokens=16)


def sentence(words: int) -> str:
    return " ".join(DRAW.choices(WORDS, k=words)).capitalize() + "."


def paragraph(tokens: int) -> str:
    return " ".join(sentence(DRAW.randint(6, 20)) for _ in range(max(1, tokens // 14)))


def sectioned() -> list[str]:
    return [f"## {sentence(4)}\n\n{paragraph(DRAW.randint(20, 300))}" for _ in range(80)]


# What a document is made of, and what stands between its parts. None but the first has headings.
DOCUMENTS: dict[str, tuple[Callable[[], list[str]], str]] = {
    "sections": (sectioned, "\n\n"),
    "small sections": (lambda: [f"## {sentence(4)}\n\n{sentence(24)}" for _ in range(240)], "\n\n"),
    "paragraphs": (lambda: [paragraph(DRAW.randint(20, 120)) for _ in range(200)], "\n\n"),
    "equal paragraphs": (lambda: [sentence(49) for _ in range(240)], "\n\n"),
    "long paragraphs": (lambda: [paragraph(DRAW.randint(200, 500)) for _ in range(40)], "\n\n"),
    "one paragraph": (lambda: [sentence(DRAW.randint(6, 20)) for _ in range(1000)], " "),
    "log": (lambda: [f"2024-01-01 12:00 {sentence(8)}" for _ in range(900)], "\n"),
    "list": (lambda: [f"- {sentence(DRAW.randint(4, 24))}" for _ in range(700)], "\n"),
    "table": (lambda: ["Port | Fee", *(f"{sentence(6)} | {n}" for n in range(900))], "\n"),
}  # fmt: skip
# Where borders are where the author drew them; in the others they come back after a while.
OF_ITS_STRUCTURE = ("sections", "paragraphs")


def hashes(text: str) -> list[str]:
    document = Document(
        id="d", source="a.md", text=text, kind="markdown", title="Title", headings=tuple(markdown_headings(text))
    )
    return [chunk.hash for chunk in chunk_document(document, tokenizer=WORD, config=CONFIG)]


def edited(items: list[str], place: int, how: str) -> list[str]:
    """One part more, less, or longer by a sentence."""
    if how == "insert":
        beginning, bar, end = items[place].split("\n")[0].partition(" | ")
        return [*items[:place], f"{beginning[:10]}{sentence(15)}{bar}{end}", *items[place:]]
    if how == "delete":
        return [*items[:place], *items[place + 1 :]]
    return [*items[:place], f"{items[place]} {sentence(12)}", *items[place + 1 :]]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_edit_changes_few_chunks(name: str) -> None:
    made, between = DOCUMENTS[name]
    changed = []
    for seed, how in itertools.product(range(6), ("insert", "delete", "longer")):
        DRAW.seed(seed)
        items = made()
        before = hashes(between.join(items))
        assert len(before) > 75
        after = hashes(between.join(edited(items, DRAW.randrange(10, len(items) // 3), how)))
        changed.append(len(set(after) - set(before)))
    assert sum(changed) / len(changed) <= (2 if name in OF_ITS_STRUCTURE else 12), sorted(changed)


def test_an_edit_in_a_section_changes_nothing_outside_it() -> None:
    items = sectioned()
    before = hashes("\n\n".join(items))
    longer = [max(range(len(items)), key=lambda at: len(items[at]))][0]
    after = hashes("\n\n".join(edited(items, longer, "longer")))
    assert 1 <= len(set(after) - set(before)) <= 4


def test_chunks_of_a_huge_text_come_one_by_one() -> None:
    text = "\n\n".join(f"{n} {' '.join(WORDS)}." for n in range(4000))
    document = Document(id="d", source="a.txt", text=text, kind="text")
    tracemalloc.start()
    try:
        chunks = iter_chunks(document, tokenizer=WORD, config=CONFIG)
        first = next(chunks)
        early = tracemalloc.get_traced_memory()[1]
        covered = max(chunk.end for chunk in chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(text) > 2_000_000
    assert first.start == 0
    assert covered == len(text)
    assert early < peak * 1.2 + 1_000_000
    assert peak < 8_000_000, peak


def test_a_text_without_lines_spaces_or_ends_is_cut_in_time() -> None:
    for text in (
        "." * 200_000,
        "\n" * 200_000 + "x",
        "-" * 200_000 + "x",
        "| " * 100_000,
        "- " * 100_000,
        "船" * 50_000,
    ):
        document = Document(id="d", source="a.txt", text=text, kind="text")
        chunks = chunk_document(document, tokenizer=WORD, config=CONFIG)
        assert chunks[-1].end == len(text.rstrip())


def test_lines_that_go_in_ever_deeper_are_cut() -> None:
    for text in (
        "\n".join(" " * n + f"- item {n}" for n in range(600)),
        "```\n" + "\n".join(" " * n + f"if {n}:" for n in range(600)),
    ):
        document = Document(id="d", source="a.md", text=text, kind="text")
        chunks = chunk_document(document, tokenizer=WORD, config=CONFIG)
        assert chunks[-1].end == len(text)
