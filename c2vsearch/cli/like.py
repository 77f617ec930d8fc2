"""What `c2vsearch query --like` is given: something of the index, or a file from anywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from c2vsearch.errors import InvalidQuery, MissingDependency, UnreadableDocument

if TYPE_CHECKING:
    from c2vsearch.retriever import Retriever
    from c2vsearch.search.example import Example


def asked_example(retriever: Retriever, name: str) -> Example:
    """A chunk, a file or lines of the index by their names in it; a file of it by where it lies; else any file.

    Raises:
        InvalidQuery: It is none of that, or a file without text.
    """
    from c2vsearch.search.example import Example

    try:
        return retriever.example(name)
    except InvalidQuery:
        if not os.path.isfile(name):
            raise
    if known := _known(retriever, name):
        return retriever.example(known)
    return Example(tuple(_texts(Path(name))))


def _known(retriever: Retriever, name: str) -> str:
    """What a file is called in the index that has its text; "" when it has not."""
    path = os.path.realpath(name)
    for root in retriever.collection.manifest.roots:
        inside = os.path.basename(path) if root.single_file else os.path.relpath(path, os.path.realpath(root.path))
        source = root.name(inside)
        if os.path.realpath(root.file(source)) == path and source in retriever.collection.sources:
            return source if retriever.collection.sources[source].chunks else ""
    return ""


def _texts(path: Path) -> list[str]:
    """The texts of a file, read as `index` reads files."""
    from c2vsearch.config import ReadingConfig, WalkConfig
    from c2vsearch.ingest import walk
    from c2vsearch.ingest.workers import Workers
    from c2vsearch.records import Document, SourceFile

    files = [entry for entry in walk(path, config=WalkConfig()) if isinstance(entry, SourceFile)]
    texts: list[str] = []
    try:
        with Workers(ReadingConfig()) as workers:
            for _, items in workers.read(files):
                texts += [item.text for item in items if isinstance(item, Document)]
    except (UnreadableDocument, MissingDependency) as error:
        raise InvalidQuery(f"{path} cannot be read: {error}; expected a file with text to be like") from error
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InvalidQuery(f"{path} has no text; expected a file with text to be like")
    return texts
