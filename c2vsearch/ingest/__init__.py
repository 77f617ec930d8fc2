"""Files to documents: what to read, and one reader for each family of formats. Knows no tokens, no vectors."""

from c2vsearch.ingest.formats import READERS
from c2vsearch.ingest.read import READING, read_file, refusal
from c2vsearch.ingest.walk import walk

__all__ = ["READERS", "READING", "read_file", "refusal", "walk"]
