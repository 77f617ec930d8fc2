"""A small corpus that changes, and what an index over it must answer: a dict is the model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from c2vsearch.collection import Collection, CollectionWriter, SourceState
from c2vsearch.collection.roots import Root
from c2vsearch.config import ChunkingConfig, IndexingConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.index.analysis import terms_of
from c2vsearch.records import Chunk

ENCODER = HashEncoder(dim=16)
SMALL = IndexingConfig(rows_per_shard=7, merge_below_rows=40)
WORDS = "apple boat claim ferry harbour island journey kettle lantern meadow north orchard".split()

Model = dict[str, list[Chunk]]


@contextmanager
def writer(root: Path, **settings: object) -> Iterator[CollectionWriter]:
    defaults: dict[str, object] = {
        "fingerprint": ENCODER.fingerprint, "chunking": ChunkingConfig(), "indexing": SMALL, "roots": [Root(path="/corpus")],
    }  # fmt: skip
    with CollectionWriter.open(root, **{**defaults, **settings}) as opened:  # type: ignore[arg-type]
        yield opened


def chunks_of(source: str, count: int, *, seed: int) -> list[Chunk]:
    chance = random.Random(f"{source} {seed}")
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(2, 8))) for _ in range(count)]
    return [
        Chunk(
            id=f"{source}-{seed}-{number}", doc_id=f"doc {source}", source=source, start=number, end=number + len(text),
            text=text, start_line=1, end_line=2, page=number or None, heading_path=("Guide", source), title=source,
            tokens=len(text.split()), hash=f"hash of {text}",
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip


def state(source: str, chunks: int, *, mtime: int = 0, status: str = "indexed", reason: str = "") -> SourceState:
    return SourceState(
        source, 10 * chunks, mtime, f"content {mtime}", f"doc {source}", status, reason, "why\udce9 not", chunks
    )


def put(target: CollectionWriter, chunks: list[Chunk], *, mtime: int = 0) -> None:
    """Add a whole source and record it."""
    target.add(chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]))
    target.record_source(state(chunks[0].source, len(chunks), mtime=mtime))


def build(root: Path, model: Model) -> int:
    """An index that holds the model and nothing else."""
    with writer(root) as target:
        for source in set(target.sources) - set(model):
            target.remove_source(source)
        for source in sorted(model):
            put(target, model[source])
        return target.commit()


def change(target: CollectionWriter, model: Model, *, seed: int, names: int = 12, edits: int = 4) -> Model:
    """Some edits, additions and removals, to the index and to the model alike."""
    chance = random.Random(seed)
    changed = dict(model)
    for name in chance.sample([f"f{number}.md" for number in range(names)], k=edits):
        if chance.random() < 0.25:
            target.remove_source(name)
            changed.pop(name, None)
        else:
            chunks = chunks_of(name, chance.randint(1, 9), seed=seed)
            put(target, chunks, mtime=seed)
            changed[name] = chunks
    return changed


def terms(text: str) -> set[str]:
    return set(terms_of(text))


def check(collection: Collection, model: Model, *, queries: int = 3) -> None:
    """Every answer of the index against brute force over the model."""
    live = {chunk.id: chunk for chunks in model.values() for chunk in chunks}
    rows = list(collection.iter_rows())
    assert {chunk.id: chunk for _, chunk in rows} == live
    assert len(rows) == len(live) == collection.stats().chunks == collection.manifest.counts["chunks"]
    vectors = ENCODER.encode_documents([chunk.text for _, chunk in rows]).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(collection.vectors([row for row, _ in rows]), vectors)
    for number in range(queries):
        query = ENCODER.encode_queries([" ".join(random.Random(number).choices(WORDS, k=2))])[0]
        scores = np.clip(vectors @ query, -1.0, 1.0)
        best = sorted(range(len(rows)), key=lambda at: (-scores[at], rows[at][0]))
        for k in (1, 5, len(rows) + 3):
            found = collection.search_vectors(query, k=k)
            np.testing.assert_allclose([hit.score for hit in found], scores[best[:k]], atol=1e-6)
            assert len({hit.row for hit in found}) == len(found)
            assert all(abs(hit.score - scores[[row for row, _ in rows].index(hit.row)]) < 1e-6 for hit in found)
    for word in WORDS[:queries]:
        having = {chunk.id for chunk in live.values() if terms(word) <= terms(f"{chunk.title} {chunk.text}")}
        hits = collection.search_text(word, k=len(rows) + 3)
        assert {chunk.id for chunk in collection.chunks([hit.row for hit in hits])} == having
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {name: found.chunks for name, found in collection.sources.items() if found.chunks} == {
        name: len(chunks) for name, chunks in model.items()
    }


def use(root: Path) -> None:
    """Everything a reader reads of the newest version."""
    with Collection.open(root) as collection:
        collection.search_vectors(ENCODER.encode_queries(["ferry"])[0], k=3)
        collection.search_text("ferry", k=3)
        list(collection.iter_chunks())
        collection.vectors([row for row, _ in collection.iter_rows()])
        assert collection.sources


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
