"""What a run does otherwise than the one before, so that what was read and cut in the old way is done again."""

from __future__ import annotations

from dataclasses import dataclass

from c2vsearch.collection import Manifest
from c2vsearch.collection.manifest import changed_settings
from c2vsearch.collection.roots import Root
from c2vsearch.indexing.job import Job


@dataclass(frozen=True, slots=True)
class Changes:
    """The settings of a job beside those of the last version; none when there is no version."""

    base: Manifest | None
    job: Job

    @property
    def words(self) -> str:
        """What differs, for a person; "" when nothing does."""
        return changed_settings(self.base, chunking=self.job.chunking, roots=self.job.roots) if self.base else ""

    def reread(self, root: Root) -> bool:
        """Whether the files of a root are read again though they are the same."""
        return self.base is not None and bool(changed_settings(self.base, chunking=self.job.chunking, roots=[root]))
