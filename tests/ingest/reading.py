"""What the tests of readers share: bytes in, documents or the reason out."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2vsearch.config import ReadingConfig
from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, FileReport, SourceFile


def read(path: Path, **settings: object) -> list[Document | FileReport]:
    status = path.stat()
    file = SourceFile(path.name, str(path), status.st_size, status.st_mtime_ns)
    return list(read_file(file, config=ReadingConfig(**settings)))  # type: ignore[arg-type]


def read_one(path: Path, **settings: object) -> Document:
    [document] = read(path, **settings)
    assert isinstance(document, Document)
    assert all(document.text[heading.start :].strip() for heading in document.headings)
    assert list(document.pages) == sorted(min(start, len(document.text)) for start in document.pages)
    return document


def reason(path: Path) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        read(path)
    return caught.value.reason


def outline(document: Document) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in document.headings]


def paragraphs(document: Document) -> list[str]:
    return document.text.split("\n\n")
