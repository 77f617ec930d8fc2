"""The records that flow between the stages: tiny, frozen, one per stage. No behaviour, no heavy imports.

Files become `Document`s, documents become `Chunk`s, chunks and vectors become rows of an index, a query
becomes `Hit`s. Offsets count characters of ``Document.text``; lines and pages count from 1.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# How a file ended in one run. Of these, "skipped" and "failed" (with a reason) and "empty" give nothing to search.
FileStatus = Literal["added", "updated", "unchanged", "moved", "duplicate", "deleted", "empty", "skipped", "failed"]
# What a document says of itself or is told by its owner. Times are in UTC.
Value = str | int | float | bool | datetime.datetime | tuple[str, ...]
Metadata = Mapping[str, Value]
Mode = Literal["hybrid", "dense", "bm25"]


def path_of(source: str, member: str = "") -> str:
    """What people are shown: a file, or something inside one.

    >>> path_of("mail.zip", "2024/report.pdf"), path_of("a.md")
    ('mail.zip!/2024/report.pdf', 'a.md')
    """
    return f"{source}!/{member}" if member else source


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: where its line starts, its depth (1 is the outermost), its words."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class LineMark:
    """From character ``start`` of the extracted text on, the source file is at line ``line``."""

    start: int
    line: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file found by the walk, before anything was read from it.

    ``source`` is the path shown to people: relative to the root, with ``/``, undecodable bytes kept as
    surrogate escapes. ``path`` opens the file.
    """

    source: str
    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a file, with what is needed to cite it.

    Most files hold one document, whose ``member`` is "". In a file of many ``member`` says which one this is: a path
    inside an archive, the number of a message in a mailbox, the id of a record. ``metadata`` uses the names "author",
    "created", "modified", "language" and "tags" for what they say, and the file's own names for the rest.

    ``lines`` is empty when the lines of ``text`` are those of the file (plain text, Markdown, code);
    otherwise it maps offsets to lines of the file (HTML). ``pages`` holds the offset at which each page
    starts, for formats that have pages.
    """

    id: str
    source: str
    text: str
    kind: str
    title: str = ""
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()
    lines: tuple[LineMark, ...] = ()
    content_hash: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    member: str = ""
    metadata: Metadata = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: ``document.text[chunk.start:chunk.end] == chunk.text``.

    ``context`` (title and heading path) is embedded with the text so that a piece knows where it stands,
    and is never shown as if it were text of the document. ``hash`` names what is embedded: equal hashes
    have equal embeddings under one encoder.
    """

    id: str
    doc_id: str
    source: str
    start: int
    end: int
    text: str
    start_line: int
    end_line: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    title: str = ""
    context: str = ""
    tokens: int = 0
    hash: str = ""
    member: str = ""
    kind: str = ""
    metadata: Metadata = field(default_factory=dict, hash=False)

    @property
    def embedded_text(self) -> str:
        """What the encoder reads: the context, when there is one, above the text."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class FileReport:
    """The one state a file ended in, or one inside a file: then ``member`` says which.

    ``reason`` is a short countable word, ``detail`` a sentence.
    """

    source: str
    status: FileStatus
    reason: str = ""
    detail: str = ""
    chunks: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What made a set of vectors. Two sets can be compared only if their fingerprints are equal.

    ``revision`` is a hash over the model's files. Two fields are recorded and not compared: ``name`` says where the
    model is found again, and the same files make the same vectors wherever they lie; ``precision`` is the arithmetic
    of the runtime ("fp32", "int8"), and the runtimes of one revision agree by value within a stated tolerance.
    """

    name: str = field(compare=False)
    revision: str
    dim: int
    pooling: str
    document_prompt: str = ""
    precision: str = field(default="fp32", compare=False)


@dataclass(frozen=True, slots=True)
class StageScore:
    """The score and rank a chunk had after one stage of a search ("dense", "bm25", "fused", "rerank")."""

    stage: str
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where a chunk stands: its source, what it is in inside of that, its lines and page."""

    source: str
    member: str
    start_line: int
    end_line: int
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a query. ``score``: higher is better; it falls with ``rank``, unless hits were grouped or
    made different from each other.

    ``relevance`` is the same from 0 to 1: how often hits with such a score were judged right; None where that was not
    measured, as for other models or for keywords alone. It does not know of reranking.

    ``highlight`` is the span, within ``text``, of the sentence that answers best; ``file`` is where the source lay when
    it was indexed; ``repeats`` is where the same words stand as well, of all that was looked at.
    """

    rank: int
    score: float
    id: str
    source: str
    text: str
    start: int
    end: int
    start_line: int
    end_line: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    title: str = ""
    highlight: tuple[int, int] | None = None
    stages: tuple[StageScore, ...] = ()
    file: str = ""
    member: str = ""
    kind: str = ""
    metadata: Metadata = field(default_factory=dict, hash=False)
    repeats: tuple[Location, ...] = ()
    relevance: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """One cited piece of a context for a prompt: ``[number] source:lines`` and its text."""

    number: int
    citation: str
    text: str
    tokens: int
    hit_ids: tuple[str, ...] = ()
