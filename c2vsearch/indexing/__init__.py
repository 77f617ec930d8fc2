"""The path of `c2vsearch index`: from a walk over files to a committed version of an index."""

from c2vsearch.indexing.cutting import cut_files
from c2vsearch.indexing.following import watch
from c2vsearch.indexing.job import default_index, load_model
from c2vsearch.indexing.piped import keep_piped
from c2vsearch.indexing.plan import IndexPlan, plan_index
from c2vsearch.indexing.reading import CutFile
from c2vsearch.indexing.report import IndexingInterrupted, IndexReport, Progress
from c2vsearch.indexing.sync import index_directory

__all__ = [
    "CutFile", "IndexPlan", "IndexReport", "IndexingInterrupted", "Progress",
    "cut_files", "default_index", "index_directory", "keep_piped", "load_model", "plan_index", "watch",
]  # fmt: skip
