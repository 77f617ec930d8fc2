"""How the parts of an Office Open XML file name each other: by relations, each with a kind and a target."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from xml.etree import ElementTree

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import local
from c2vsearch.ingest.package import parse_xml


@dataclass(frozen=True, slots=True)
class Relation:
    """``kind`` is the last word of its type, such as "styles"; ``target`` the member of the archive."""

    kind: str
    target: str


def main_part(archive: zipfile.ZipFile, *, kind: str) -> tuple[str, ElementTree.Element]:
    """The part that holds the text or names those that do: its name and its root.

    Raises:
        UnreadableDocument: "broken-" and the kind.
    """
    for relation in relations(archive, "", kind=kind).values():
        if relation.kind == "officeDocument":
            return relation.target, parse_xml(archive, relation.target, kind=kind)
    raise UnreadableDocument(f"broken-{kind}", "it does not say which of its parts is the main one")


def relations(archive: zipfile.ZipFile, part: str, *, kind: str) -> dict[str, Relation]:
    """Those of a part, by their ids; ``part`` "" is the file itself. Left out is what lies elsewhere or is not there.

    Raises:
        UnreadableDocument: "broken-" and the kind.
    """
    folder, name = posixpath.split(part)
    there = archive.NameToInfo
    member = posixpath.join(folder, "_rels", f"{name}.rels")
    if member not in there:
        return {}
    found = {
        relation.get("Id", ""): Relation(relation.get("Type", "").rpartition("/")[2], _resolved(folder, relation))
        for relation in parse_xml(archive, member, kind=kind)
        if relation.get("TargetMode") != "External"
    }
    return {name: relation for name, relation in found.items() if relation.target in there}


def _resolved(folder: str, relation: ElementTree.Element) -> str:
    return posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")


def reference(element: ElementTree.Element) -> str:
    """The id of the relation that an element means; "" where it means none."""
    # Of `id` and `r:id`, which a slide of a presentation has both, it is the one in a namespace.
    return next((value for name, value in element.attrib.items() if "}" in name and local(name) == "id"), "")
