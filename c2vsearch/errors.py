"""Every error this package raises on purpose, in one tree.

    C2VSearchError
    ├── UsageError                the caller's mistake: fix the call
    │   ├── InvalidConfig         a setting has a value it cannot have
    │   ├── InvalidQuery          a query that cannot be searched for
    │   ├── IndexNotFound         no index where one was expected
    │   ├── IndexLocked           another process is writing to the index
    │   ├── StorageReadOnly       the index, or where a file is to go, cannot be written to
    │   ├── SourceNotFound        the file or directory to index does not exist
    │   ├── ModelNotFound         no model of that name or at that place
    │   ├── EncoderMismatch       the index was built with another model
    │   └── MissingDependency     an optional package is not installed (also an ImportError)
    └── DataError                 the world's fault: fix the data
        ├── UnreadableDocument    a file exists but no text can be had from it
        ├── CorruptFile           a file of an index or model is damaged
        ├── IncompatibleVersion   an index or model of another format version
        ├── InvalidDataset        queries or judgements that cannot be read
        ├── EndpointFailed        an embeddings endpoint refuses, or answers what cannot be used
        ├── StorageFull           the disk is full; nothing committed was lost
        ├── OutOfDeviceMemory     the device cannot hold the batch or the index
        └── DivergedTraining      a loss or a gradient is not finite

One warning is ours as well: `NotReranked`.

A message says what happened with the value, what was expected, and what to do. The command line
prints it as one line on stderr; any other exception is a bug and keeps its traceback.

    try:
        retriever = Retriever.open("indexes/handbook")
    except c2vsearch.C2VSearchError as error:
        print(error)
"""

from __future__ import annotations

from typing import Literal

EMPTY_REASONS = frozenset({"empty", "no-text"})
FAILURE_REASONS = frozenset({"permission", "unreadable", "timeout", "out-of-memory", "crashed"})


class C2VSearchError(Exception):
    """Base of every error this package raises on purpose.

    ``exit_code`` is what the command line exits with (documented in docs/cli.md).
    """

    exit_code = 3


class UsageError(C2VSearchError):
    """The caller asked for something that cannot be done; changing the call fixes it."""

    exit_code = 2


class InvalidConfig(UsageError):
    """A setting has a value it cannot have."""


class InvalidQuery(UsageError):
    """A query that cannot be searched for, such as an empty one."""


class SourceNotFound(UsageError):
    """The file or directory to index does not exist."""


class IndexNotFound(UsageError):
    """No index where one was expected."""

    exit_code = 3


class IndexLocked(UsageError):
    """Another process is writing to the index."""

    exit_code = 4


class StorageReadOnly(UsageError):
    """The index lies where nothing can be written, or the file that was asked for would."""


class ModelNotFound(UsageError):
    """No model of that name or at that place."""

    exit_code = 3


class EncoderMismatch(UsageError):
    """The index was built with another model, or other settings of it, than the one given."""

    exit_code = 5


class MissingDependency(UsageError, ImportError):
    """An optional package is not installed; the message has the exact pip line, ``extra`` the name of what it is in."""

    exit_code = 3

    def __init__(self, message: str, *, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


class DataError(C2VSearchError):
    """The call was right and the data are not."""


class UnreadableDocument(DataError):
    """A file exists but no text can be had from it; ``reason`` is a short, countable word.

    What is not meant to be read ("binary", "unsupported", "encrypted") is skipped; what should have been readable
    and was not ("broken-pdf", "permission", "timeout") has failed; "empty" is a state of its own.

    >>> UnreadableDocument("broken-pdf", "not a PDF: no header").status
    'failed'
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def status(self) -> Literal["skipped", "failed", "empty"]:
        """The state the file ends in."""
        if self.reason in EMPTY_REASONS:
            return "empty"
        failed = self.reason in FAILURE_REASONS or self.reason.startswith("broken-")
        return "failed" if failed else "skipped"


class CorruptFile(DataError):
    """A file of an index or a model is damaged: its checksum is not the recorded one."""

    exit_code = 6


class IncompatibleVersion(DataError):
    """An index or model written in a format this version does not know."""

    exit_code = 6


class InvalidDataset(DataError):
    """Queries or judgements that cannot be read."""


class EndpointFailed(DataError):
    """An embeddings endpoint cannot be reached, refuses, or answers what cannot be used."""


class StorageFull(DataError):
    """The disk is full. Nothing that was committed is lost."""

    exit_code = 7


class OutOfDeviceMemory(DataError):
    """The device cannot hold the batch or the index."""


class DivergedTraining(DataError):
    """A loss or a gradient is not finite. The weights and the last checkpoint are as they were before it."""


class NotReranked(UserWarning):
    """With rerank "auto": there was no second look, and hits are in the order of the first; the message says why."""
