"""What stands around hits, against the files themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.config import ChunkingConfig
from c2vsearch.errors import InvalidConfig

SECTIONS = {
    "": "Words before any heading, about nothing. " * 10,
    "# Ferries": "Ferries run daily. " * 12,
    "## Times": "The first leaves at six. " * 20,
    "### Winter": "In winter the ferry leaves at nine. " * 14,
    "## Prices": "A ticket costs two pounds. " * 20,
    "# Bread": "Let the dough rest. " * 12,
}


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    root = tmp_path_factory.mktemp("around")
    (root / "a.md").write_text(
        "\n\n".join(f"{head}\n\n{text.strip()}" for head, text in SECTIONS.items()).strip() + "\n"
    )
    (root / "plain.txt").write_text("\n\n".join(f"Paragraph {n} speaks of lighthouses. " * 5 for n in range(12)))
    (root / "pages.txt").write_text("\f".join(f"On page {n} the harbour master sleeps. " * 8 for n in range(1, 5)))
    index_directory(
        root, index=root / "index", encoder="hash",
        chunking=ChunkingConfig(max_tokens=48, overlap_tokens=8, context_tokens=12),
    )  # fmt: skip
    return Retriever.open(root / "index")


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("neighbours", [0, 1, 3, 99])
def test_neighbours_are_the_chunks_beside_a_hit(retriever: Retriever, neighbours: int) -> None:
    hits = retriever.search("ferry lighthouse dough", k=12)
    assert len({hit.source for hit in hits}) > 1
    for hit, around in zip(hits, retriever.neighbourhoods(hits, neighbours=neighbours), strict=True):
        whole = Path(hit.file).read_text()
        chunks = sorted(
            (c for c in retriever.collection.iter_chunks() if c.source == hit.source), key=lambda c: c.start
        )
        at = [chunk.id for chunk in chunks].index(hit.id)
        wanted = chunks[max(0, at - neighbours) : at + neighbours + 1]
        assert (around.place.start, around.place.end) == (wanted[0].start, max(chunk.end for chunk in wanted))
        assert flat(around.text) == flat(whole[around.place.start : around.place.end])
        assert len(around.text) == around.place.end - around.place.start
        assert (around.place.start_line, around.place.end_line) == (wanted[0].start_line, wanted[-1].end_line)
        moved = hit.start - around.place.start
        assert around.text[moved : moved + len(hit.text)] == hit.text


@pytest.mark.parametrize(
    ("query", "heads"),
    [
        ("winter nine", ["### Winter"]),
        ("first leaves six", ["## Times", "### Winter"]),
        ("run daily", ["# Ferries", "## Times", "### Winter", "## Prices"]),
        ("ticket pounds", ["## Prices"]),
        ("dough rest", ["# Bread"]),
        ("words before heading nothing", [""]),
    ],
)
def test_a_section_is_all_under_its_heading(retriever: Retriever, query: str, heads: list[str]) -> None:
    [hit] = retriever.search(query, k=1, mode="bm25")
    [around] = retriever.sections([hit])
    assert flat(around.text) == flat(" ".join(f"{head} {SECTIONS[head]}" for head in heads))


def test_a_document_without_headings_is_one_section(retriever: Retriever) -> None:
    [hit] = retriever.search("paragraph 7 lighthouses", k=1)
    [around] = retriever.sections([hit])
    assert flat(around.text) == flat(Path(hit.file).read_text())
    assert retriever.sections([]) == []


def test_fewer_than_none_is_refused(retriever: Retriever) -> None:
    with pytest.raises(InvalidConfig, match="neighbours is -1; expected at least 0"):
        retriever.neighbourhoods([], neighbours=-1)
