"""One index directory as a small database: immutable files, a manifest a version, one writer, many readers.

Reading, pinned to one version:

    with Collection.open("indexes/handbook") as collection:
        hits = collection.search_vectors(query, k=10)            # or search_text("ferry times", k=10)
        many = collection.search_vectors_batch(queries, k=10)    # a list of hits for each
        chunks = collection.chunks([hit.row for hit in hits])

Writing, one process at a time:

    with CollectionWriter.open("indexes/handbook", fingerprint=..., chunking=...) as writer:
        known = writer.reusable_vectors([chunk.hash for chunk in chunks])
        writer.add(chunks, rows)
        writer.record_source(SourceState("a.md", ...))           # all its chunks are in: they replace the old ones
        writer.remove_source("gone.md")
        version = writer.commit()

The names are resolved on first use: a reader does not load what only the writer needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2vsearch.collection.collection import Collection as Collection
    from c2vsearch.collection.manifest import Manifest as Manifest
    from c2vsearch.collection.manifest import SourceState as SourceState
    from c2vsearch.collection.row import Row as Row
    from c2vsearch.collection.row import RowScore as RowScore
    from c2vsearch.collection.writer import CollectionWriter as CollectionWriter

_HOMES = {
    "Collection": "collection",
    "CollectionWriter": "writer",
    "Manifest": "manifest",
    "Row": "row",
    "RowScore": "row",
    "SourceState": "manifest",
}

__all__ = sorted(_HOMES)

if not TYPE_CHECKING:  # hidden from mypy, which would otherwise accept any misspelt name

    def __getattr__(name: str) -> object:
        """Import the module a public name lives in when the name is first used (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
