"""What stands in one batch, and in which order batches come."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.training.batching import PairSet, batch_order, pair_sets, read_sets
from c2vsearch.training.pairs import Pair


def numbered(count: int, source: str = "a") -> PairSet:
    return PairSet(
        source, tuple(Pair(f"{source}q{n}", f"{source}p{n} " + "x" * (n % 97)) for n in range(count)), 0, False
    )


def test_a_batch_is_of_one_set_and_has_no_false_negatives() -> None:
    pairs = [Pair(f"q{n % 30}", f"p{n}", f"g{n % 25}", (f"p{n + 1}",)) for n in range(90)]
    sets = [PairSet("a", tuple(pairs), 1, False), numbered(40, "b")]
    flat = [*sets[0].pairs, *sets[1].pairs]
    order = list(batch_order(sets, {}, size=8, steps=40, parts=1, seed=3))
    assert order == list(batch_order(sets, {}, size=8, steps=40, parts=1, seed=3))
    assert order != list(batch_order(sets, {}, size=8, steps=40, parts=1, seed=4))
    assert len(order) == 40
    for batch in order:
        assert len({place < 90 for place in batch}) == 1
        chosen = [flat[place] for place in batch]
        assert len({pair.query for pair in chosen}) == len({pair.positive for pair in chosen}) == len(chosen)
        groups = [pair.group for pair in chosen if pair.group]
        assert len(set(groups)) == len(groups)
        negatives = {text for pair in chosen for text in pair.negatives}
        assert not negatives & {pair.positive for pair in chosen}


def test_sets_are_drawn_by_size_and_weight() -> None:
    sets = [numbered(300, "a"), numbered(100, "b"), numbered(100, "c")]
    drawn = Counter(
        "abc"[(batch[0] >= 300) + (batch[0] >= 400)]
        for batch in batch_order(sets, {"b": 3.0, "c": 0.0}, size=4, steps=2000, parts=1, seed=1)
    )
    assert drawn["c"] == 0
    assert drawn["a"] / 2000 == pytest.approx(0.5, abs=0.04)
    with pytest.raises(InvalidConfig, match="weights are all 0"):
        next(batch_order(sets, dict.fromkeys("abc", 0.0), size=4, steps=1, parts=1, seed=1))


def test_a_pass_uses_every_pair_once_and_like_lengths_together() -> None:
    part = numbered(640)
    batches = list(islice(batch_order([part], {}, size=8, steps=80, parts=1, seed=1), 80))
    assert sorted(place for batch in batches for place in batch) == list(range(640))
    spreads = [
        max(lengths) - min(lengths) for batch in batches if (lengths := [len(part.pairs[i].positive) for i in batch])
    ]
    assert sum(spreads) / len(spreads) < 20  # of 97; batches drawn at random spread over 75


def test_devices_get_equal_parts_of_one_batch() -> None:
    sets = [numbered(30, "a"), numbered(30, "b")]
    whole = list(batch_order(sets, {}, size=8, steps=10, parts=1, seed=1))
    parted = list(batch_order(sets, {}, size=8, steps=10, parts=2, seed=1))
    assert [first + second for first, second in zip(parted[::2], parted[1::2], strict=True)] == whole
    assert all(len(part) == 4 for part in parted)
    with pytest.raises(InvalidConfig, match="multiple of the 3 devices"):
        next(batch_order(sets, {}, size=8, steps=1, parts=3, seed=1))


def test_pairs_of_one_group_make_no_batch() -> None:
    part = PairSet("a", tuple(Pair(f"q{n}", f"p{n}", "same") for n in range(5)), 0, False)
    with pytest.raises(InvalidDataset, match="no batch"):
        next(batch_order([part], {}, size=4, steps=1, parts=1, seed=1))


def test_pairs_are_parted_by_negatives_and_scores() -> None:
    pairs = [
        *(Pair(f"a{n}", f"b{n}", negatives=("x", "y", "z"), scores=(1.0, 0.5, 0.2, 0.1)) for n in range(3)),
        *(Pair(f"c{n}", f"d{n}", negatives=("x",)) for n in range(2)),
        *(Pair(f"e{n}", f"f{n}", scores=(1.0,)) for n in range(2)),
        Pair("alone", "alone", negatives=("x",), scores=(1.0, 0.5)),
    ]
    parts = pair_sets("s", pairs, hard_negatives=2)
    assert [(part.name, len(part.pairs)) for part in parts] == [("s+0", 2), ("s+1", 2), ("s+2 scored", 3)]


def test_held_out_pairs_are_not_trained_on(tmp_path: Path) -> None:
    rows = [{"query": f"q{n}", "positive": f"p{n % 40}", "group": f"g{n % 40}"} for n in range(60)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sets, held_out = read_sets([tmp_path], hard_negatives=1, held_out=10, seed=1)
    assert len(held_out["x"]) == 10
    trained = {pair.group for part in sets for pair in part.pairs}
    assert not trained & {pair.group for pair in held_out["x"]}
    assert read_sets([tmp_path], hard_negatives=1, held_out=10, seed=1) == (sets, held_out)
    with pytest.raises(InvalidDataset, match="no pairs at"):
        read_sets([tmp_path / "none"], hard_negatives=1, held_out=0, seed=1)
