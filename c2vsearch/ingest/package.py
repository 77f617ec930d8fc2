"""Office files are zip archives of XML: looked over before a parser of theirs is let in."""

from __future__ import annotations

import contextlib
import copy
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable
from xml.etree import ElementTree

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.element import local
from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.records import Value

MAX_RATIO = 200
SMALL_BYTES = 20_000_000  # of which any ratio is harmless
_STEP = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OSError, RuntimeError, NotImplementedError,
    LookupError,
)  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TOLD = frozenset(
    """
    creator initial-creator created creation-date modified date language subject title keywords keyword category
    """.split()
)


def open_package(blob: Blob, reading: Reading, *, kind: str) -> zipfile.ZipFile:
    """The archive, when what it says it unpacks to is bearable.

    The standard library reads no more of a member than its header declares, so that a header that lies is an error
    of the parser and not a bomb. Parsers that unpack by themselves need `refuse_lies` as well.

    Raises:
        UnreadableDocument: "encrypted", "bomb" or "broken-" and the kind.
    """
    if blob.data.startswith(_OLE):
        raise UnreadableDocument("encrypted", f"a password is needed, or it is an old file with the suffix {kind}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(blob.data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableDocument(f"broken-{kind}", f"not a file of type {kind}: {error}") from error
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > SMALL_BYTES and unpacked > MAX_RATIO * len(blob.data):
        raise UnreadableDocument("bomb", f"{len(blob.data)} bytes would unpack to {unpacked}")
    for _ in entries:
        reading.budget.count_member()
    reading.budget.spend(unpacked)
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableDocument("encrypted", "a password is needed")
    return archive


def refuse_lies(archive: zipfile.ZipFile) -> None:
    """Unpack everything without keeping it, for parsers that do not stop where the header says a member ends.

    Raises:
        UnreadableDocument: "bomb" where a member is longer than that.
    """
    for entry in archive.infolist():
        boundless = copy.copy(entry)
        boundless.file_size = sys.maxsize
        del boundless.CRC  # of the first bytes, perhaps; without one nothing is compared
        size = 0
        # What is damaged is the parser's to say; what it could read until then is not more than this.
        with contextlib.suppress(*_DAMAGE), archive.open(boundless) as stream:
            while size <= entry.file_size and (step := stream.read(_STEP)):
                size += len(step)
        if size > entry.file_size:
            told = f"{entry.filename} unpacks to more than the {entry.file_size} bytes it declares"
            raise UnreadableDocument("bomb", told)


def parse_xml(
    archive: zipfile.ZipFile, name: str, *, kind: str, trim: Callable[[bytes], bytes] = bytes
) -> ElementTree.Element:
    """One XML member; ``trim`` takes out what nobody asks for. Entities that multiply are refused by the parser.

    Raises:
        UnreadableDocument: "broken-" and the kind.
    """
    try:
        return ElementTree.fromstring(trim(archive.read(name)))
    except (ElementTree.ParseError, *_DAMAGE) as error:
        raise UnreadableDocument(f"broken-{kind}", f"{name}: {type(error).__name__}: {error}") from error


def said_of_itself(archive: zipfile.ZipFile, name: str, *, kind: str, **meaning: str) -> dict[str, Value]:
    """What the member with the properties says; nothing where there is none, or a broken one: the text still stands."""
    try:
        return dublin_core(parse_xml(archive, name, kind=kind), **meaning)
    except UnreadableDocument:
        return {}


def dublin_core(root: ElementTree.Element, **meaning: str) -> dict[str, Value]:
    """What the properties of an office file or a book say; ``meaning`` is what a name stands for in that format.

    >>> said = ElementTree.fromstring("<p><creator>Ann</creator><subject>ice</subject><subject>sea</subject></p>")
    >>> dublin_core(said, subject="tags")
    {'author': 'Ann', 'tags': ('ice', 'sea')}
    """
    texts: dict[str, list[str]] = {}
    for element in root.iter():
        name = local(element.tag)
        if name in _TOLD and (text := " ".join("".join(element.itertext()).split())):
            texts.setdefault(meaning.get(name, name), []).append(text)
    return properties((name, told if len(told) > 1 else told[0]) for name, told in texts.items())
