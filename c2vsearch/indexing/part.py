"""One root of a run: what the walk found there, and what is said of its files elsewhere."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2vsearch.chunking import RULES
from c2vsearch.collection.roots import Root
from c2vsearch.config import READING_LIMITS, ReadingConfig
from c2vsearch.ingest import READING, walk
from c2vsearch.ingest.annotations import read_annotations
from c2vsearch.packed import PackedSequence
from c2vsearch.records import FileReport, Metadata, SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The files of a root, under the names they have in the index, and the annotations of them.

    ``refused`` is what the walk found and did not let in.
    ``missing`` is a root that is not there now, such as a disk that is not mounted: what the index has of it stays.
    """

    root: Root
    files: Sequence[SourceFile] = ()
    refused: Sequence[FileReport] = ()
    annotations: Mapping[str, Metadata] = field(default_factory=dict)
    missing: bool = False


def part_of(root: Root, *, required: bool) -> Part:
    """What there is of a root now.

    Raises:
        SourceNotFound: There is nothing, and it is ``required``.
        InvalidConfig: Its table of metadata cannot be read.
    """
    annotations = read_annotations(Path(root.metadata)) if root.metadata else {}
    root = dataclasses.replace(root, reader=reading_name(root.reading, annotations))
    if not os.path.exists(root.path) and not required:
        return Part(root=root, missing=True)
    files, refused = PackedSequence(SourceFile), PackedSequence(FileReport)
    for entry in walk(Path(root.path), config=root.walking):
        named = dataclasses.replace(entry, source=root.name(entry.source)) if root.label else entry
        if isinstance(named, SourceFile):
            files.append(named)
        else:
            refused.append(named)
    said = {root.name(path): values for path, values in annotations.items()}
    return Part(root=root, files=files, refused=refused, annotations=said)


def reading_name(reading: ReadingConfig, annotations: Mapping[str, Metadata]) -> str:
    """The versions of readers and chunks, with the settings that are not the usual ones and a hash of the annotations.

    The limits of a reading process are left out: a file they stopped is tried again when they change, no other is.

    >>> reading_name(ReadingConfig(text_field="body"), {}).partition(" ")[2]
    "text_field='body'"
    """
    parts = [f"{READING}.{RULES}"]
    for setting in dataclasses.fields(reading):
        value = getattr(reading, setting.name)
        if value != setting.default and setting.name not in READING_LIMITS:
            parts.append(f"{setting.name}={value!r}")
    if annotations:
        said = repr(sorted((source, sorted(values.items())) for source, values in annotations.items()))
        parts.append(f"metadata={hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}")
    return " ".join(parts)
