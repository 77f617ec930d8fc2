"""Word documents: paragraphs, lists and tables in order, headings by style or outline level, notes at the end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.package import local, open_package, said_of_itself
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.word import Styles, add_body, flat
from c2vsearch.optional import require
from c2vsearch.records import Document

_NOTES = ("footnotes", "endnotes", "comments")


def read_docx(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A DOCX file, with macros or without.

    Raises:
        MissingDependency: python-docx is not installed.
        UnreadableDocument: "broken-docx", "encrypted", "bomb" or "no-text".
    """
    docx = require("docx", extra="office", purpose="reading Word documents")
    archive = open_package(blob, reading, kind="docx")
    parts = Parts()
    try:
        _add(parts, docx, blob.data)
    except Exception as error:  # the parsers below it raise KeyError, ValueError, XML and zip errors
        raise UnreadableDocument("broken-docx", f"{type(error).__name__}: {error}") from error
    said = said_of_itself(archive, "docProps/core.xml", kind="docx")
    yield parts.document(blob, kind="docx", title=str(said.pop("title", "")), metadata=said)


def _add(parts: Parts, docx: ModuleType, data: bytes) -> None:
    # Not `docx.Document`, which refuses files with macros.
    main = docx.package.Package.open(io.BytesIO(data)).main_document_part
    root = _root(docx, main)
    if local(root.tag) != "document":
        raise ValueError(f"its main part is a <{local(root.tag)}>; expected a Word document")
    related = {
        relation.reltype.rpartition("/")[2]: relation.target_part
        for relation in main.rels.values()
        if not relation.is_external
    }
    add_body(parts, root, Styles(_root(docx, related["styles"]) if "styles" in related else None))
    for note in (note for name in _NOTES if name in related for note in _root(docx, related[name])):
        parts.add(flat(note))


def _root(docx: ModuleType, part: Any) -> Any:
    return part.element if hasattr(part, "element") else docx.oxml.parser.parse_xml(part.blob)
