"""One index directory as a small database: immutable files, a manifest a version, one writer, many readers."""

from c2vsearch.collection.collection import Collection, Row, RowScore
from c2vsearch.collection.manifest import Manifest, SourceState
from c2vsearch.collection.writer import CollectionWriter

__all__ = ["Collection", "CollectionWriter", "Manifest", "Row", "RowScore", "SourceState"]
