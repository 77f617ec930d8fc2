"""What an index needs now and then: an older version back, room, and parts made anew from the shards.

None of it needs a model: embeddings are in the shards, and everything else is made of those.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.collection.asking import Asking
from c2vsearch.collection.collection import Collection
from c2vsearch.collection.history import publish
from c2vsearch.collection.keywords import next_keywords
from c2vsearch.collection.lock import write_lock
from c2vsearch.collection.manifest import SegmentEntry, SourceState, describe
from c2vsearch.collection.segments import Plan, planned_segments
from c2vsearch.collection.sources import stored_name, write_sources
from c2vsearch.collection.sweep import Swept, sweep
from c2vsearch.collection.writer import CollectionWriter
from c2vsearch.config import IndexingConfig
from c2vsearch.errors import CorruptFile


def restore(root: Path | str, version: int) -> int:
    """Make an older version the current one again, as a new version; its number.

    The versions between stay until they are swept. The next sync sees how the files differ from the restored state.

    Raises:
        IndexNotFound: There is no such version.
        CorruptFile: A file of it is damaged.
        IndexLocked: Another process is writing.
    """
    root = Path(root)
    old = layout.open_manifest(root, version)
    with write_lock(root), artifacts.storage_errors():
        Collection(root, old).verify()
        return publish(root, dataclasses.replace(old, version=layout.versions(root)[-1] + 1, parent=version)).version


def compact(root: Path | str, *, indexing: IndexingConfig | None = None) -> int:
    """Write rows anew without those that are deleted, and small files together; the number of the version.

    Answers stay the same. It is that of the current version when there is nothing to gain.

    Raises:
        CorruptFile: A file that is needed is damaged.
        IndexLocked: Another process is writing.
    """
    made = layout.open_manifest(Path(root))
    with CollectionWriter.open(root, fingerprint=made.fingerprint, chunking=made.chunking, indexing=indexing) as writer:
        return writer.commit(compact=True)


def vacuum(
    root: Path | str, *, keep_versions: int, keep_seconds: float, dry_run: bool = False
) -> Swept:  # fmt: skip
    """Remove old versions and what only they need, and what unfinished runs left.

    A version goes when it is not one of the newest ``keep_versions`` and was not current in the last ``keep_seconds``.
    The current one always stays.

    Raises:
        IndexNotFound: There is no index.
        IndexLocked: Another process is writing.
    """
    root = Path(root)
    layout.open_manifest(root)
    with write_lock(root):
        return sweep(
            root, keep_versions=max(keep_versions, 1), keep_seconds=keep_seconds, pending_seconds=0.0, dry_run=dry_run
        )


def repair(root: Path | str, *, indexing: IndexingConfig | None = None) -> list[str]:
    """Make anew what is damaged or missing and can be made of the shards; the names of those files.

    These are vector segments, the keyword index, and the table of sources: without that, the next sync reads every file
    again, and finds its embeddings.

    Raises:
        CorruptFile: A shard, or the table of deleted rows, is damaged: they are made of nothing else.
        IndexLocked: Another process is writing.
    """
    root = Path(root)
    with write_lock(root), artifacts.storage_errors():
        base = Collection.open(root)
        damaged = {entry.name: problem for entry in base.manifest.files() if (problem := base.damage(entry))}
        _refuse_what_is_lost(damaged)
        if damaged:
            _publish_repaired(base, damaged, indexing or IndexingConfig())
        return sorted(damaged)


def _refuse_what_is_lost(damaged: dict[str, str]) -> None:
    if lost := [problem for name, problem in damaged.items() if layout.is_sole(name)]:
        raise CorruptFile(
            f"{'; '.join(lost)}: it cannot be made from other files; copy it from a backup, go back to a version "
            "without it (c2vsearch log, restore), or build the index again with --rebuild"
        )


def _publish_repaired(base: Collection, damaged: dict[str, str], indexing: IndexingConfig) -> None:
    root, manifest = base.root, base.manifest
    whole = [_without_damage(segment, damaged) for segment in manifest.vectors if segment.file.name not in damaged]
    lexical = manifest.lexical
    if lexical and any(entry.name in damaged for entry in lexical.files):
        lexical = next_keywords(root, None, manifest.shards, base.live(), version=manifest.version + 1)
    sources = manifest.sources
    if sources and sources.name in damaged:
        states = _states(base)
        sources = describe(root, write_sources(root / layout.SOURCES, states), rows=len(states))
    if manifest.questions and manifest.questions.name in damaged:  # the next sync asks others
        manifest = dataclasses.replace(manifest, questions=None)
    live = base.live()
    asking = Asking(root, Collection(root, manifest), manifest.shards, live, dim=manifest.fingerprint.dim, encode=None)
    plan = Plan(
        spec=manifest.index, dim=manifest.fingerprint.dim, merge_below_rows=indexing.merge_below_rows,
        questions=asking.questions, device=indexing.device,
    )  # fmt: skip
    vectors = planned_segments(root, whole, manifest.shards, live, plan)
    publish(
        root,
        dataclasses.replace(
            manifest, version=layout.versions(root)[-1] + 1, parent=manifest.version, vectors=tuple(vectors),
            lexical=lexical, sources=sources,
        ),
    )  # fmt: skip


def _without_damage(segment: SegmentEntry, damaged: dict[str, str]) -> SegmentEntry:
    lost = segment.candidates and segment.candidates.file.name in damaged
    return dataclasses.replace(segment, candidates=None) if lost else segment


def _states(base: Collection) -> list[SourceState]:
    """How the sources stand by their rows. No size and no time: each file will be read again."""
    documents: dict[str, dict[str, int]] = {}
    for chunk in base.iter_chunks():
        counts = documents.setdefault(chunk.source, {})
        counts[chunk.doc_id] = counts.get(chunk.doc_id, 0) + 1
    states = [
        SourceState(source, 0, 0, "", next(iter(counts)), "indexed", chunks=sum(counts.values()), documents=len(counts))
        for source, counts in documents.items()
    ]
    return sorted(states, key=stored_name)
