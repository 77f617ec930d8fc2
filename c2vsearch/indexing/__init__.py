"""The path of `c2vsearch index`: from a walk over files to a committed version of an index."""

from c2vsearch.indexing.job import default_index
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.indexing.sync import index_directory

__all__ = ["IndexReport", "IndexingInterrupted", "Progress", "default_index", "index_directory"]
