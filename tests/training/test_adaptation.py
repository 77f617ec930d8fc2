"""Pairs from an index: nothing of a held-out document is trained on, no positive holds its query, ranks by hand."""

from __future__ import annotations

import random
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch.collection import Collection
from c2vsearch.encoder import HashEncoder
from c2vsearch.errors import IndexNotFound, InvalidConfig, InvalidDataset
from c2vsearch.indexing import index_directory
from c2vsearch.records import Chunk
from c2vsearch.retriever import Retriever
from c2vsearch.training.adaptation import (
    KINDS,
    Adaptation,
    PairRanks,
    adaptation_pairs,
    body,
    evaluate_pairs,
    gain,
)
from c2vsearch.training.leaks import words

WORDS = "harbour island ferry winter bread lantern orchard kettle meadow journey anchor copper velvet marble".split()
FOOTER = "Printed matter of the harbour office may be copied freely as long as the name of the office stands below it."


def sentence(chance: random.Random) -> str:
    return f"The {' '.join(chance.choices(WORDS, k=8))} number {chance.randint(100, 999)} waits."


def page(number: int) -> str:
    chance = random.Random(number)
    parts = [f"# Guide {WORDS[number % 14]} {number}", ""]
    for section in range(3):
        name = "Overview" if section == 0 else f"{chance.choice(WORDS).title()} rule {number}-{section}"
        parts += [f"## {name}", "", " ".join(sentence(chance) for _ in range(9)), ""]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("adapt")
    docs = home / "docs"
    docs.mkdir()
    for number in range(12):
        (docs / f"{number:02}.md").write_text(page(number), encoding="utf-8")
    (docs / "copy.md").write_text(page(3), encoding="utf-8")
    for name in ("x", "y"):
        text = f"# About {name}\n\n{sentence(random.Random(name))} {FOOTER} {sentence(random.Random(name + '2'))}\n"
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    (docs / "empty.md").write_text("# Nothing here\n", encoding="utf-8")
    index_directory(docs, index=home / "index", encoder=HashEncoder())
    return home / "index"


def documents(found: Adaptation) -> set[str]:
    return {pair.group.partition("#")[0] for pair in found.train}


def runs(texts: list[str]) -> set[tuple[str, ...]]:
    return {tuple(w[i : i + 16]) for text in texts for w in [words(text)] for i in range(len(w) - 15)}


@pytest.mark.parametrize("seed", range(6))
def test_nothing_of_a_held_out_document_is_trained_on(place: Path, seed: int) -> None:
    found = adaptation_pairs(place, seed=seed, held_out=0.3)
    out = set(found.held_out.sources.values())
    assert out
    assert not out & documents(found)
    with Collection.open(place) as collection:
        texts = {chunk.id: chunk for chunk in collection.iter_chunks()}
        hidden = runs([chunk.text for chunk in texts.values() if chunk.source in out])
    assert not hidden & runs([text for pair in found.train for text in (pair.query, pair.positive)])
    questions = {" ".join(words(text)) for text in found.held_out.queries.values()}
    assert not questions & {" ".join(words(pair.query)) for pair in found.train}
    assert len(out) == round(0.3 * len(out | documents(found))) or found.dropped


def test_copies_are_dropped_and_counted(place: Path) -> None:
    """The page that is there twice: wherever one copy is held out, the other is not trained on."""
    seen = set()
    for seed in range(30):
        found = adaptation_pairs(place, seed=seed, held_out=0.3)
        out = set(found.held_out.sources.values())
        groups = documents(found)
        if len(out & {"03.md", "copy.md"}) == 1:
            assert not groups & {"03.md", "copy.md"}
        if len(out & {"x.md", "y.md"}) == 1:
            other = ({"x.md", "y.md"} - out).pop()
            assert all(FOOTER not in pair.positive for pair in found.train if pair.group.startswith(f"{other}#"))
            seen.add("footer")
            assert found.dropped > 0
    assert seen == {"footer"}


def test_pairs_of_every_kind_without_their_queries(place: Path) -> None:
    found = adaptation_pairs(place, seed=1, held_out=0.3)
    assert set(found.held_out.kinds.values()) == set(KINDS)
    pairs = [(pair.query, pair.positive) for pair in found.train]
    pairs += [(query, found.held_out.positives[name]) for name, query in found.held_out.queries.items()]
    queries = [" ".join(words(query)) for query, _ in pairs]
    assert len(set(queries)) == len(queries)
    for query, (_, positive) in zip(queries, pairs, strict=True):
        assert f" {query} " not in f" {' '.join(words(positive))} "
    names = [query for query, _ in pairs]
    assert "Overview" not in names  # every page has one: it is told apart by what stands above it
    assert sum(name.startswith("Guide ") and name.endswith(": Overview") for name in names) >= 11
    assert not any(name.startswith("Nothing") for name in names)


def test_the_same_seed_gives_the_same_pairs_however_the_index_is_given(place: Path) -> None:
    first = adaptation_pairs(str(place), seed=5)
    with Retriever.open(place, encoder=HashEncoder()) as retriever:
        assert adaptation_pairs(retriever, seed=5) == first == adaptation_pairs(retriever.collection, seed=5)
    assert {adaptation_pairs(place, seed=seed).held_out.sources["0"] for seed in range(8)} != {
        first.held_out.sources["0"]
    }


def test_only_some_kinds(place: Path) -> None:
    found = adaptation_pairs(place, seed=1, held_out=0.3, include=["title"])
    assert set(found.held_out.kinds.values()) == {"title"}
    assert all(pair.query.startswith(("Guide ", "About ")) for pair in found.train)


def ranks_by_hand(encoder: HashEncoder, found: Adaptation) -> list[int]:
    held, ranks = found.held_out, []
    for name, query in held.queries.items():
        row = encoder.encode_queries([query])[0]
        own = float(encoder.encode_documents([held.positives[name]])[0] @ row)
        others = [text for chunk, text in held.chunks.items() if chunk not in held.without[name]]
        ranks.append(1 + sum(float(encoder.encode_documents([text])[0] @ row) >= own for text in others))
    return ranks


def test_ranks_and_measures_by_hand(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2vsearch.training.adaptation.ROWS_AT_ONCE", 7)
    found, encoder = adaptation_pairs(place, seed=2, held_out=0.3), HashEncoder()
    ranked = evaluate_pairs(encoder, found.held_out)
    assert list(ranked.ranks) == ranks_by_hand(encoder, found)
    assert len(set(ranked.ranks)) > 1
    run = {
        str(number): {"right": 0.5, **{f"w{i}": 1.0 for i in range(rank - 1)}}
        for number, rank in enumerate(ranked.ranks)
    }
    qrels = {name: {"right": 1} for name in run}
    expected = ir_measures.calc_aggregate([ir_measures.parse_measure(n) for n in ("nDCG@10", "R@3")], qrels, run)
    values = {str(measure): value for measure, value in expected.items()}
    assert ranked.ndcg(10) == pytest.approx(values["nDCG@10"])
    assert ranked.recall(3) == pytest.approx(values["R@3"])


def test_what_holds_the_answer_does_not_compete(place: Path) -> None:
    held = adaptation_pairs(place, seed=2, held_out=0.3).held_out
    for name, judged in held.qrels.items():
        assert judged.keys() <= held.without[name]
        if held.kinds[name] in ("first", "cloze"):
            query = " ".join(words(held.queries[name]))
            rivals = [text for chunk, text in held.chunks.items() if chunk not in held.without[name]]
            copied = held.sources[name] in ("03.md", "copy.md", "x.md", "y.md")
            assert copied or not any(query in " ".join(words(text)) for text in rivals)


def test_distractors_are_limited(place: Path) -> None:
    few = adaptation_pairs(place, seed=2, distractors=5).held_out
    assert len(few.chunks) == 5
    assert max(evaluate_pairs(HashEncoder(), few).ranks) <= 6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 15), st.integers(1, 15), st.sampled_from("abcde")), min_size=1, max_size=12))
def test_the_interval_is_that_of_drawn_documents(rows: list[tuple[int, int, str]]) -> None:
    before, after, sources = zip(*rows, strict=True)
    found = gain(PairRanks(before, sources), PairRanks(after, sources), seed=3)
    value = [(1 / np.log2(b + 1) if b <= 10 else 0) - (1 / np.log2(a + 1) if a <= 10 else 0) for a, b, _ in rows]
    assert found.mean == pytest.approx(float(np.mean(value)))
    names = sorted(set(sources))
    means = []
    for drawn in np.random.default_rng(3).integers(0, len(names), (2000, len(names))):
        values = [v for number in drawn for v, name in zip(value, sources, strict=True) if name == names[number]]
        means.append(np.mean(values))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert found.better == (found.low > 0)


def test_better_only_if_every_document_says_so_often_enough() -> None:
    sources = tuple("abcdefgh")
    worse, same = PairRanks((9,) * 8, sources), PairRanks((9, 9, 9, 9, 9, 9, 9, 1), sources)
    assert gain(worse, PairRanks((1,) * 8, sources)).better
    assert not gain(worse, same).better
    assert not gain(PairRanks((1,) * 8, sources), worse).better


def test_headings_are_taken_out_of_a_chunk() -> None:
    text = "Ferry times\n===========\n\nAt nine.\n\n---\n### Fares\nTwo crowns for Fares."
    chunk = Chunk("1", "1", "a", 0, len(text), text, 1, 9, heading_path=("Ferry times", "Fares"), title="All")
    assert body(chunk) == "At nine.\n\n---\nTwo crowns for Fares."


def test_what_cannot_be(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="held_out is 1.0"):
        adaptation_pairs(place, seed=0, held_out=1.0)
    with pytest.raises(InvalidConfig, match="no kind of pairs 'tables'"):
        adaptation_pairs(place, seed=0, include=["tables"])  # type: ignore[list-item]
    with pytest.raises(IndexNotFound):
        adaptation_pairs(tmp_path / "none", seed=0)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.md").write_text(page(1))
    index_directory(tmp_path / "one", index=tmp_path / "index", encoder=HashEncoder())
    with pytest.raises(InvalidDataset, match="1 documents of the index give pairs"):
        adaptation_pairs(tmp_path / "index", seed=0)
    (tmp_path / "one" / "b.md").write_text(page(1) + "\n## More\n\nThe end is near and the rest of it is only silence.")
    index_directory(tmp_path / "one", index=tmp_path / "index", encoder=HashEncoder())
    with pytest.raises(InvalidDataset, match=r"documents of the index give pairs|shares text with one held out"):
        adaptation_pairs(tmp_path / "index", seed=0)


def test_other_scripts_give_pairs_too(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, word in enumerate("\u8239\u6e2f\u5cf6\u6d77"):
        lines = "".join(
            f"{word}\u306f\u6bce\u65e5\u5348\u524d\u4e5d\u6642\u306b\u5357\u306e\u6e2f\u3092\u51fa\u3066\u5317\u306e\u5cf6\u3078\u5411\u304b\u3044\u307e\u3059{n}\u3002"
            for n in range(5)
        )
        (docs / f"{number}.md").write_text(f"# {word}\u306e\u6848\u5185{number}\n\n{lines}\n", encoding="utf-8")
    index_directory(docs, index=tmp_path / "index", encoder=HashEncoder())
    found = adaptation_pairs(tmp_path / "index", seed=0)
    assert set(found.held_out.kinds.values()) == set(KINDS) - {"heading"}
    assert min(evaluate_pairs(HashEncoder(), found.held_out).ranks) >= 1
