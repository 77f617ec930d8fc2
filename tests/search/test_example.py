"""More like this: against brute force over all vectors, and words counted by hand."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.config import ChunkingConfig, SearchConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import InvalidQuery
from c2vsearch.index.analysis import query_terms
from c2vsearch.search.example import EXAMPLE_WEIGHT, Example, find_example, telling_words

DENSE = SearchConfig(k=50, mode="dense", collapse=False)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    root = tmp_path_factory.mktemp("like")
    topics = ["ferry harbour quay", "dough oven bread", "engine piston oil", "garden seed rain"]
    for number in range(12):
        words = topics[number % 4].split()
        lines = [
            f"Line {n}: the {words[n % 3]} and the {words[(n + number) % 3]} of {words[0]}{number}." for n in range(9)
        ]
        (root / f"{words[0]}{number}.md").write_text(f"# About {words[0]}\n\n" + "\n\n".join(lines))
    index_directory(
        root, index=root / "index", encoder="hash",
        chunking=ChunkingConfig(max_tokens=40, overlap_tokens=8, context_tokens=8),
    )  # fmt: skip
    return Retriever.open(root / "index")


def brute_force(retriever: Retriever, query: np.ndarray, but: set[str]) -> list[tuple[str, float]]:
    rows = list(retriever.collection.iter_rows())
    vectors = retriever.collection.vectors([row for row, _ in rows])
    scores = {chunk.id: float(vector @ query) for (_, chunk), vector in zip(rows, vectors, strict=True)}
    return sorted(((key, score) for key, score in scores.items() if key not in but), key=lambda item: -item[1])


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_a_chunk_finds_its_nearest_others(retriever: Retriever) -> None:
    row, chunk = next(iter(retriever.collection.iter_rows()))
    hits = retriever.more_like_with(retriever.example(chunk.id), DENSE)
    expected = brute_force(retriever, unit(retriever.collection.vectors([row])[0]), {chunk.id})[:50]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)
    assert chunk.id not in {hit.id for hit in hits}
    assert [hit.id for hit in retriever.more_like(chunk.id, k=3)]


@pytest.mark.parametrize("name", ["ferry0.md", "ferry0.md:5-9", "ferry0.md:7"])
def test_a_file_is_the_mean_of_its_chunks_and_left_out(retriever: Retriever, name: str) -> None:
    first, last = {"ferry0.md": (1, 99), "ferry0.md:5-9": (5, 9), "ferry0.md:7": (7, 7)}[name]
    own = [
        (row, chunk) for row, chunk in retriever.collection.iter_rows()
        if chunk.source == "ferry0.md" and chunk.start_line <= last and chunk.end_line >= first
    ]  # fmt: skip
    assert 0 < len(own) <= len(find_example(retriever.collection, "ferry0.md").texts)
    query = unit(retriever.collection.vectors([row for row, _ in own]).sum(axis=0))
    hits = retriever.more_like_with(retriever.example(name), DENSE)
    expected = brute_force(retriever, query, {chunk.id for _, chunk in own})[:50]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)
    for mode in ("bm25", "hybrid"):
        found = retriever.more_like(name, k=60, mode=mode)
        assert found
        assert not {hit.id for hit in found} & {chunk.id for _, chunk in own}


def test_a_text_from_elsewhere_and_a_question_beside_it(retriever: Retriever) -> None:
    text = "Bread is made of dough in an oven."
    encoder = HashEncoder()
    [vector] = encoder.encode_documents([text])
    hits = retriever.more_like_with(Example((text,)), DENSE)
    assert [hit.score for hit in hits] == pytest.approx(
        [s for _, s in brute_force(retriever, vector, set())[:50]], abs=1e-5
    )
    question = encoder.encode_queries(["harbour rain"])[0]
    query = unit(question + EXAMPLE_WEIGHT * vector)
    hits = retriever.more_like_with(Example((text,)), DENSE, text="harbour rain")
    assert [hit.score for hit in hits] == pytest.approx(
        [s for _, s in brute_force(retriever, query, set())[:50]], abs=1e-5
    )
    by_words = retriever.more_like_with(Example((text,)), SearchConfig(mode="bm25", k=50), text='"harbour" -line')
    assert by_words == []
    assert {hit.source[:5] for hit in retriever.more_like_with(Example((text,)), SearchConfig(mode="bm25"))} == {
        "dough"
    }


def test_a_filter_holds(retriever: Retriever) -> None:
    hits = retriever.more_like("ferry0.md", k=50, where={"path": "ferry4.md"})
    assert {hit.source for hit in hits} == {"ferry4.md"}


def test_telling_words_are_frequent_here_and_rare_elsewhere(retriever: Retriever) -> None:
    example = retriever.example("ferry0.md")
    chunks = list(retriever.collection.iter_chunks())
    held = [set(query_terms(f"{chunk.title} {' '.join(chunk.heading_path)} {chunk.text}")) for chunk in chunks]
    own = {chunk.id for chunk in chunks if chunk.source == "ferry0.md"}
    elsewhere = set().union(*(terms for chunk, terms in zip(chunks, held, strict=True) if chunk.id not in own))
    counts = Counter(term for text in example.texts for word in re.findall(r"\w+", text) for term in query_terms(word))
    weights = {}
    for term, count in counts.items():
        holding = sum(term in terms for terms in held)
        weights[term] = count * math.log(1 + (len(chunks) - holding + 0.5) / (holding + 0.5))
    expected = [
        term
        for term in sorted(weights, key=lambda term: -weights[term])
        if term in elsewhere and term not in ("the", "and", "of")
    ]
    found = [next(iter(query_terms(word))) for word in telling_words(retriever.collection, example)]
    assert found[:4] == expected[:4]
    assert set(found) == set(expected)
    assert "ferry0" not in found
    assert len(telling_words(retriever.collection, example, count=2)) == 2
    assert telling_words(retriever.collection, Example(("zebra of the",))) == []


@pytest.mark.parametrize("name", ["nothing.md", "0123456789abcdef", "ferry0.md:900", "ferry0.md!/inside", ""])
def test_what_is_not_there_is_refused(retriever: Retriever, name: str) -> None:
    with pytest.raises(InvalidQuery, match="expected a file of it"):
        retriever.more_like(name)
