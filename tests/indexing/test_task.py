"""The task of an index: kept, followed by queries, and embedded again exactly when documents are instructed too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.artifacts import to_json
from c2vsearch.collection import Collection, CollectionWriter, layout
from c2vsearch.collection.manifest import _seal, read_manifest
from c2vsearch.config import ChunkingConfig, SearchConfig
from c2vsearch.encoder import HashEncoder
from c2vsearch.encoder.symmetric import for_task
from c2vsearch.errors import CorruptFile, EncoderMismatch, InvalidConfig
from c2vsearch.indexing import IndexReport, plan_index
from c2vsearch.indexing.removal import remove_files
from c2vsearch.search.example import Example
from c2vsearch.task import TASKS, Task

FIND = Task("", "find the dough")


class Prompted(HashEncoder):
    """Words of the prompt are words of the text."""

    def query_prompt(self, instruction: str | None) -> str:
        return f"{instruction or 'ask'}: "

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> np.ndarray:
        return self.encode_documents([self.query_prompt(instruction) + text for text in texts])


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    for number in range(5):
        (place / f"{number}.md").write_text(f"# Note {number}\n\nThe note number {number} says word{number}.")
    return place


def sync(docs: Path, **settings: object) -> IndexReport:
    encoder = settings.pop("encoder", None) or Prompted()
    return index_directory(docs, index=docs.parent / "index", encoder=encoder, **settings)  # type: ignore[arg-type]


def stored(docs: Path) -> tuple[list[str], np.ndarray]:
    """What was embedded, and the rows that are kept of it."""
    collection = Collection.open(docs.parent / "index")
    texts, rows = [], []
    for number, entry in enumerate(collection.manifest.shards):
        live = [row for row in range(entry.rows) if row not in collection.deletes.get(entry.name, ())]
        texts += [chunk.embedded_text for chunk in collection.shard(number).chunks(live)]
        rows.append(collection.shard(number).vectors_at(live).astype(np.float32))
    return texts, np.concatenate(rows)


def task_of(docs: Path) -> Task | None:
    return Collection.open(docs.parent / "index").manifest.task


def test_a_task_for_queries_embeds_nothing_and_is_kept(docs: Path) -> None:
    assert sync(docs).encoded == 5
    assert task_of(docs) is None
    report = sync(docs, task="qa")
    assert (report.encoded, report.reused, report.version) == (0, 0, 2)
    assert task_of(docs) == TASKS["qa"]
    texts, rows = stored(docs)
    np.testing.assert_allclose(rows, Prompted().encode_documents(texts), atol=1e-3)
    assert sync(docs).version == 2  # nothing to say, nothing written
    remove_files(docs.parent / "index", ["0.md"])
    assert task_of(docs) == TASKS["qa"]
    sync(docs, task=FIND)
    assert task_of(docs) == FIND
    sync(docs, task="")
    assert task_of(docs) is None


def test_a_symmetric_task_instructs_documents(docs: Path) -> None:
    sync(docs, task="duplicate")
    texts, rows = stored(docs)
    expected = Prompted().encode_queries(texts, instruction=TASKS["duplicate"].instruction)
    np.testing.assert_allclose(rows, expected, atol=1e-3)
    assert np.abs(rows - Prompted().encode_documents(texts)).max() > 0.05
    (docs / "new.md").write_text("# New\n\nSomething else.")
    report = sync(docs)  # without a word: still for duplicates
    assert (report.encoded, report.reused) == (1, 0)
    texts, rows = stored(docs)
    expected = Prompted().encode_queries(texts, instruction=TASKS["duplicate"].instruction)
    np.testing.assert_allclose(rows, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("qa", "similar", "has documents that are embedded without an instruction; the task of this run embeds them behind"),
        ("similar", "qa", "behind 'Retrieve semantically similar text: '; the task of this run embeds them without"),
        ("similar", "duplicate", "behind 'Retrieve semantically similar text: '; .* behind 'Given a question, retrieve"),
        ("similar", "", "the task of this run embeds them without an instruction: leave --task out .* add --rebuild"),
    ],
)  # fmt: skip
def test_another_side_needs_a_rebuild(docs: Path, before: str, after: str, message: str) -> None:
    sync(docs, task=before)
    with pytest.raises(EncoderMismatch, match=message):
        sync(docs, task=after)
    with pytest.raises(EncoderMismatch, match=message):
        plan_index(docs, index=docs.parent / "index", encoder=Prompted(), task=after)
    assert task_of(docs) == TASKS[before]
    report = sync(docs, task=after, rebuild=True)
    assert (report.encoded, report.reused) == (5, 0)
    assert task_of(docs) == (TASKS[after] if after else None)
    texts, rows = stored(docs)
    encoder = for_task(Prompted(), task_of(docs))
    np.testing.assert_allclose(rows, encoder.encode_documents(texts), atol=1e-3)


def test_embeddings_of_another_prompt_are_not_reused(docs: Path) -> None:
    """Shards of a run that never finished lie in the index; only those of the same prompt are taken."""
    similar = for_task(Prompted(), TASKS["similar"])
    paths = sorted(docs.glob("*.md"))
    place = docs.parent / "index"
    sync(docs)
    texts = Collection.open(place).iter_chunks()
    chunks = list(texts)
    assert len(chunks) == len(paths)
    (docs.parent / "other").mkdir()
    for again in (docs.parent / "index", docs.parent / "fresh"):
        with CollectionWriter.open(
            again, fingerprint=similar.fingerprint, chunking=ChunkingConfig(), rebuild=True
        ) as writer:
            writer.add(chunks, similar.encode_documents([chunk.embedded_text for chunk in chunks]))
            writer._flush(len(chunks))  # killed before its commit
    assert sync(docs, task="qa", rebuild=True).reused == 0
    report = index_directory(docs, index=docs.parent / "fresh", encoder=Prompted(), task="similar")
    assert (report.encoded, report.reused) == (0, 5)


def test_queries_follow_the_index_unless_they_say_otherwise(docs: Path) -> None:
    for task in (None, TASKS["qa"], TASKS["similar"]):
        sync(docs, task=task or "", rebuild=True)
        texts, rows = stored(docs)
        with Retriever.open(docs.parent / "index", encoder=Prompted()) as retriever:
            for said in (None, "say a word"):
                words = said or (task.instruction if task else None)
                [query] = Prompted().encode_queries(["word3"], instruction=words)
                hits = retriever.search("word3", instruction=said, mode="dense")
                expected = sorted((rows @ query).tolist(), reverse=True)
                np.testing.assert_allclose([hit.score for hit in hits], expected, atol=2e-3)


def test_every_way_of_asking_follows_the_index(docs: Path) -> None:
    sync(docs, task="similar")
    texts, rows = stored(docs)
    config = SearchConfig(mode="dense", k=5)
    [query] = Prompted().encode_queries(["word3"], instruction=TASKS["similar"].instruction)
    expected = sorted((rows @ query).tolist(), reverse=True)
    [example] = Prompted().encode_queries([texts[0]], instruction=TASKS["similar"].instruction)
    with Retriever.open(docs.parent / "index", encoder=Prompted()) as retriever:
        for hits in (
            retriever.search_batch(["word3"], k=5, mode="dense")[0],
            retriever.search_any(["word3"], k=5, mode="dense"),
            list(retriever.iter_search("word3", config)),
        ):
            np.testing.assert_allclose([hit.score for hit in hits], expected, atol=2e-3)
        alike = retriever.more_like_with(Example((texts[0],)), config)
        np.testing.assert_allclose(
            [hit.score for hit in alike], sorted((rows @ example).tolist(), reverse=True), atol=2e-3
        )
        assert alike[0].score == pytest.approx(1.0, abs=2e-3)


def test_a_plan_is_that_of_the_task(docs: Path) -> None:
    sync(docs)
    plan = plan_index(docs, index=docs.parent / "index", encoder=Prompted(), task="qa")
    assert plan.to_embed == 0
    plan = plan_index(docs, index=docs.parent / "index", encoder=Prompted(), task="similar", rebuild=True)
    assert plan.to_embed == 5


def test_what_cannot_be_is_refused_and_changes_nothing(docs: Path) -> None:
    with pytest.raises(InvalidConfig, match="the task is 'magic'; expected one of search, qa"):
        sync(docs, task="magic")
    with pytest.raises(InvalidConfig, match="the model hash cannot instruct documents"):
        sync(docs, task="similar", encoder=HashEncoder())
    assert not (docs.parent / "index").exists()
    sync(docs, task="similar")
    with pytest.raises(EncoderMismatch, match="was built with hash@"):
        Retriever.open(docs.parent / "index", encoder=HashEncoder())


def test_an_index_from_before_tasks_is_read(docs: Path) -> None:
    sync(docs, task="qa")
    path = layout.manifest_path(docs.parent / "index", 1)
    data = json.loads(path.read_bytes())
    assert data.pop("task") == {"name": "qa", "instruction": TASKS["qa"].instruction, "symmetric": False}
    data.pop("sha256")
    path.write_bytes(to_json({**data, "sha256": _seal(data)}))
    assert read_manifest(path).task is None
    assert sync(docs).encoded == 0
    for task in ({"name": "", "instruction": " ", "symmetric": False}, {"name": "qa"}, ["qa"], "qa"):
        path.write_bytes(to_json({**data, "task": task, "sha256": _seal({**data, "task": task})}))
        with pytest.raises(CorruptFile, match="is not a manifest of an index"):
            read_manifest(path)
