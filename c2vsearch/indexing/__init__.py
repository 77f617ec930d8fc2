"""The path of `c2vsearch index`: from a walk over files to a committed version of an index."""

from c2vsearch.indexing.following import watch
from c2vsearch.indexing.job import default_index, load_model
from c2vsearch.indexing.plan import IndexPlan, plan_index
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.indexing.sync import index_directory

__all__ = [
    "IndexPlan", "IndexReport", "IndexingInterrupted", "Progress",
    "default_index", "index_directory", "load_model", "plan_index", "watch",
]  # fmt: skip
