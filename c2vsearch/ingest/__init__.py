"""Files to documents: what to read, and one reader for each family of formats. Knows no tokens, no vectors."""

from c2vsearch.ingest.formats import READERS
from c2vsearch.ingest.read import NEEDS_EXTRA, READING, missing, read_file, refusal
from c2vsearch.ingest.walk import walk

__all__ = ["NEEDS_EXTRA", "READERS", "READING", "missing", "read_file", "refusal", "walk"]
