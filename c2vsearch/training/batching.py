"""Which pairs stand in which batch: one data set a batch, texts of like length together, no false negatives.

The whole order of a run follows from the pairs and a seed, so that a run can go on from any step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.terminal import visible_line
from c2vsearch.training.pairs import Pair, read_pairs

SUFFIXES = (".jsonl", ".jsonl.xz")
BUCKET_BATCHES = 16  # pairs of so many batches are sorted by length together: still random, and little padding


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs of one source, all with the same number of negatives and all with teacher scores, or none."""

    source: str
    pairs: tuple[Pair, ...]
    negatives: int
    scored: bool

    @property
    def name(self) -> str:
        """The source, and what sets this part of it apart."""
        return f"{self.source}+{self.negatives}{' scored' if self.scored else ''}"


def pair_files(paths: Sequence[str | Path]) -> list[Path]:
    """The pairs files that some paths name, folders opened, in order.

    Raises:
        InvalidDataset: A path is neither a file nor a folder with pairs files.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES)) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise InvalidDataset(
                f"no pairs at {visible_line(str(path))}; expected a .jsonl or .jsonl.xz file or folder"
            )
        found += files
    return found


def read_sets(
    paths: Sequence[str | Path], *, hard_negatives: int, held_out: int, seed: int
) -> tuple[list[PairSet], dict[str, list[Pair]]]:
    """Read pairs: what is trained on, and by source the pairs that are held out for evaluation.

    Pairs of one group, or with one positive, are never split between the two.

    Raises:
        InvalidDataset: A file or a line cannot be read, or nothing is left to train on.
    """
    sources: dict[str, list[Pair]] = {}
    for path in pair_files(paths):
        for pair in read_pairs(path):
            sources.setdefault(pair.source or path.name.split(".jsonl")[0], []).append(pair)
    training: list[PairSet] = []
    evaluation: dict[str, list[Pair]] = {}
    for source, pairs in sorted(sources.items()):
        kept, out = _split(pairs, held_out, random.Random(f"{seed} {source}"))
        if out:
            evaluation[source] = out
        training += pair_sets(source, kept, hard_negatives=hard_negatives)
    if not training:
        raise InvalidDataset(f"no data set has two pairs left to train on beside {held_out} held out; expected more")
    return training, evaluation


def pair_sets(source: str, pairs: Sequence[Pair], *, hard_negatives: int) -> list[PairSet]:
    """Pairs of a source, parted by how many negatives they have (at most ``hard_negatives``) and whether scored.

    A part of one pair teaches nothing and is left out.
    """
    parts: dict[tuple[int, bool], list[Pair]] = {}
    for pair in pairs:
        count = min(len(pair.negatives), hard_negatives)
        parts.setdefault((count, count > 0 and bool(pair.scores)), []).append(pair)
    return [
        PairSet(source, tuple(part), count, scored) for (count, scored), part in sorted(parts.items()) if len(part) > 1
    ]


def check_weights(sets: Sequence[PairSet], named: Mapping[str, object], key: str) -> None:
    """Refuse settings for data sets that are not there.

    Raises:
        InvalidConfig: A name is not that of a data set.
    """
    sources = sorted({part.source for part in sets})
    if unknown := sorted(set(named) - set(sources)):
        raise InvalidConfig(f"[data] {key} names {', '.join(unknown)}; the data sets are {', '.join(sources)}")


def batch_order(
    sets: Sequence[PairSet], weights: Mapping[str, float], *, size: int, steps: int, parts: int, seed: int
) -> Iterator[list[int]]:
    """Places of pairs in the sets laid end to end: ``steps`` batches, each in ``parts`` equal parts, one a device.

    A set is drawn in proportion to its pairs times its weight. In a pass over it no pair is used twice; those that
    fill no batch wait for the next pass.

    Raises:
        InvalidConfig: No weight is more than 0, or the batch cannot be parted.
    """
    if size % parts:
        raise InvalidConfig(f"batch_size is {size}; expected a multiple of the {parts} devices")
    generator = random.Random(seed)
    chances = [len(part.pairs) * weights.get(part.source, 1.0) for part in sets]
    if not any(chances):
        raise InvalidConfig("[data] weights are all 0; expected at least one data set to draw from")
    offsets = [sum(len(part.pairs) for part in sets[:place]) for place in range(len(sets))]
    streams = [_stream(part.pairs, size, parts, random.Random(f"{seed} {part.name}")) for part in sets]
    for _ in range(steps):
        [chosen] = generator.choices(range(len(sets)), chances)
        batch = [offsets[chosen] + place for place in next(streams[chosen])]
        share = len(batch) // parts
        yield from (batch[part * share : (part + 1) * share] for part in range(parts))


def _split(pairs: list[Pair], held_out: int, generator: random.Random) -> tuple[list[Pair], list[Pair]]:
    if not held_out:
        return pairs, []
    clusters: dict[str, list[Pair]] = {}
    for pair in pairs:
        clusters.setdefault(pair.group or pair.positive, []).append(pair)
    names = list(clusters)
    generator.shuffle(names)
    out: list[Pair] = []
    taken: set[str] = set()
    for name in names:
        if len(out) >= min(held_out, len(pairs) // 2):
            break
        taken.add(name)
        out += clusters[name]
    held = {text for pair in out for text in (pair.query, pair.positive)}
    kept = [
        pair
        for pair in pairs
        if (pair.group or pair.positive) not in taken and pair.query not in held and pair.positive not in held
    ]
    return kept, out[:held_out]


def _stream(pairs: Sequence[Pair], size: int, parts: int, generator: random.Random) -> Iterator[list[int]]:
    """Endless batches of one set, shuffled anew in every pass."""
    while True:
        order = list(range(len(pairs)))
        generator.shuffle(order)
        batches: list[list[int]] = []
        bucket = size * BUCKET_BATCHES
        for start in range(0, len(order), bucket):
            batches += _fill(
                sorted(order[start : start + bucket], key=lambda place: _length(pairs[place])), pairs, size
            )
        usable = [batch[: len(batch) // parts * parts] for batch in batches if len(batch) >= max(2, parts)]
        if not usable:
            raise InvalidDataset(
                f"no batch for {parts} devices can be made of {len(pairs)} pairs of one data set that share their "
                "texts or groups; expected pairs of at least two groups a device"
            )
        generator.shuffle(usable)
        yield from usable


def _fill(places: Sequence[int], pairs: Sequence[Pair], size: int) -> list[list[int]]:
    """Batches in which no text answers two queries and no negative is another's answer; the rest waits for the next."""
    batches: list[list[int]] = []
    waiting = list(places)
    while waiting:
        batch: list[int] = []
        later: list[int] = []
        claimed: set[str] = set()
        negatives: set[str] = set()
        for place in waiting:
            pair = pairs[place]
            own = {pair.query, pair.positive} | ({f"\0{pair.group}"} if pair.group else set())
            if len(batch) == size or own & claimed or own & negatives or claimed & set(pair.negatives):
                later.append(place)
                continue
            claimed |= own
            negatives |= set(pair.negatives)
            batch.append(place)
        if len(batch) < 2 or (batches and len(batch) < size):
            break  # what is left cannot fill a batch, and a short one is worth less
        batches.append(batch)
        waiting = later
    return batches


def _length(pair: Pair) -> int:
    return len(pair.positive) + sum(map(len, pair.negatives)) + len(pair.query)
