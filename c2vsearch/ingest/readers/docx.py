"""Word documents: paragraphs, lists and tables in order, headings by style or outline level, notes at the end."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import local
from c2vsearch.ingest.package import open_package, parse_xml, said_of_itself
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.relations import main_part, relations
from c2vsearch.ingest.styles import Styles, without_looks
from c2vsearch.ingest.word import add_body, flat
from c2vsearch.records import Document

_KIND = "docx"
_NOTES = ("footnotes", "endnotes", "comments")


def read_docx(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A DOCX file, with macros or without.

    Raises:
        UnreadableDocument: "broken-docx", "encrypted", "bomb" or "no-text".
    """
    archive = open_package(blob, reading, kind=_KIND)
    parts = Parts()
    try:
        _add(parts, archive)
    except RecursionError as error:
        raise UnreadableDocument("broken-docx", "its elements are nested too deep") from error
    said = said_of_itself(archive, "docProps/core.xml", kind=_KIND)
    yield parts.document(blob, kind=_KIND, title=str(said.pop("title", "")), metadata=said)


def _add(parts: Parts, archive: zipfile.ZipFile) -> None:
    name, root = main_part(archive, kind=_KIND)
    if local(root.tag) != "document":
        raise UnreadableDocument(
            "broken-docx", f"its main part is a <{local(root.tag)}>; expected that of a Word document"
        )
    related = {relation.kind: relation.target for relation in relations(archive, name, kind=_KIND).values()}
    styles = parse_xml(archive, related["styles"], kind=_KIND, trim=without_looks) if "styles" in related else ()
    add_body(parts, root, Styles(styles))
    for note in (note for kind in _NOTES if kind in related for note in parse_xml(archive, related[kind], kind=_KIND)):
        parts.add(flat(note))
