"""How long and in how much memory a file may be read, and what is said of one that took more.

The words name the limit: a file is tried again when they would be others, so that a higher limit is noticed.
"""

from __future__ import annotations

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import UnreadableDocument

# Large files may take longer: a slow parser of PDF reads about a megabyte a second.
SECONDS_PER_MEGABYTE = 2.0


def seconds_for(size_bytes: int, config: ReadingConfig) -> float:
    """How long a reading process may be silent over a file of this size.

    >>> seconds_for(5_000_000, ReadingConfig(timeout_seconds=60))
    70.0
    """
    return config.timeout_seconds + SECONDS_PER_MEGABYTE * size_bytes / 1e6


def overdue(size_bytes: int, config: ReadingConfig) -> UnreadableDocument:
    """The refusal of a file that took too long.

    >>> str(overdue(0, ReadingConfig()))
    'not read within 60 seconds (--reader-timeout)'
    """
    seconds = seconds_for(size_bytes, config)
    return UnreadableDocument("timeout", f"not read within {seconds:g} seconds (--reader-timeout)")


def overgrown(config: ReadingConfig) -> UnreadableDocument:
    """The refusal of a file that took too much memory.

    >>> str(overgrown(ReadingConfig()))
    'more than 2000 MB of memory to read it (--reader-memory)'
    """
    megabytes = config.max_memory_bytes / 1e6
    return UnreadableDocument("out-of-memory", f"more than {megabytes:g} MB of memory to read it (--reader-memory)")
