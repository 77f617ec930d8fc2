"""Books: the chapters of an EPUB in reading order, under the names its table of contents gives them."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import local
from c2vsearch.ingest.package import dublin_core, open_package, parse_xml
from c2vsearch.ingest.page import Block, parse_page
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.readers.html import decode_page
from c2vsearch.records import Document

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html"})
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # these hide fonts, not texts


def read_epub(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An EPUB, version 2 or 3. A chapter is a heading of level 1 and the headings inside it are below that.

    Raises:
        UnreadableDocument: "broken-epub", "encrypted", "bomb" or "no-text".
    """
    archive = open_package(blob, reading, kind="epub")
    _refuse_protected(archive)
    container = parse_xml(archive, _CONTAINER, kind="epub")
    place = next((e.get("full-path", "") for e in container.iter() if local(e.tag) == "rootfile"), "")
    package = parse_xml(archive, place, kind="epub")
    said = next((dublin_core(e, subject="tags") for e in package if local(e.tag) == "metadata"), {})
    items = {
        item.get("id", ""): (_path(place, item.get("href", "")), item.get("media-type", ""), item.get("properties", ""))
        for item in package.iter() if local(item.tag) == "item"
    }  # fmt: skip
    names = _chapter_names(archive, items.values())
    parts = Parts()
    for reference in (element for element in package.iter() if local(element.tag) == "itemref"):
        path, kind, properties = items.get(reference.get("idref", ""), ("", "", ""))
        if kind in _PAGES and "nav" not in properties.split():
            _add_chapter(parts, _page(archive, path), names.get(path, ""))
    yield parts.document(blob, kind="epub", title=str(said.pop("title", "")), metadata=said)


def _refuse_protected(archive: zipfile.ZipFile) -> None:
    if _ENCRYPTION in archive.namelist():
        methods = [e for e in parse_xml(archive, _ENCRYPTION, kind="epub").iter() if local(e.tag) == "EncryptionMethod"]
        if any(method.get("Algorithm", "") not in _FONTS for method in methods):
            raise UnreadableDocument("encrypted", "the book is protected (DRM)")


def _path(package: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(href.partition("#")[0])))


def _page(archive: zipfile.ZipFile, path: str) -> list[Block]:
    try:
        return parse_page(decode_page(archive.read(path))).blocks
    except KeyError:  # the book names a page that is not in it
        return []
    except UnreadableDocument as error:
        if error.status == "empty":
            return []
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise UnreadableDocument("broken-epub", f"{path}: {error}") from error


def _chapter_names(archive: zipfile.ZipFile, items: object) -> dict[str, str]:
    """What the table of contents calls each page: the first entry that points to it."""
    names: dict[str, str] = {}
    for path, kind, properties in list(items):  # type: ignore[call-overload]
        if "nav" in properties.split() or kind == "application/x-dtbncx+xml":
            for target, name in _entries(archive, path):
                names.setdefault(_path(path, target), name)
    return names


def _entries(archive: zipfile.ZipFile, path: str) -> Iterator[tuple[str, str]]:
    """Targets and names of a table of contents, of version 3 (nav) or 2 (ncx). A broken one names nothing."""
    try:
        tree = parse_xml(archive, path, kind="epub")
    except UnreadableDocument:
        return
    for element in tree.iter():
        if local(element.tag) == "a" and element.get("href"):
            yield element.get("href", ""), " ".join("".join(element.itertext()).split())
        elif local(element.tag) == "navPoint":
            inside = {local(child.tag): child for child in element}
            if "content" in inside and "navLabel" in inside:
                yield inside["content"].get("src", ""), " ".join("".join(inside["navLabel"].itertext()).split())


def _add_chapter(parts: Parts, blocks: list[Block], name: str) -> None:
    if not blocks:
        return
    deepest = min((block.level for block in blocks if block.level), default=1)
    opens = next((block for block in blocks if block.level == deepest), None)
    named = opens is not None and blocks[0] is opens
    if name and not named:
        parts.add(name, level=1)
    for block in blocks:
        shift = 1 - deepest if named or not name else 2 - deepest
        parts.add(block.text, level=block.level + shift if block.level else 0, tight=block.tight)
