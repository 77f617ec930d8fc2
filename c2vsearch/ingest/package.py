"""Office files are zip archives of XML: looked over before a parser of theirs is let in."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from xml.etree import ElementTree

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.records import Value

MAX_RATIO = 200
SMALL_BYTES = 20_000_000  # of which any ratio is harmless
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_KEYWORDS = re.compile(r"\s*[,;]\s*")
_DUBLIN_CORE = {
    "creator": "author", "initial-creator": "author", "created": "created", "creation-date": "created",
    "modified": "modified", "date": "modified", "language": "language", "subject": "subject", "title": "title",
    "keywords": "tags", "keyword": "tags", "category": "category",
}  # fmt: skip
_TIMES = frozenset({"created", "modified"})


def open_package(blob: Blob, reading: Reading, *, kind: str) -> zipfile.ZipFile:
    """The archive, when what it says it unpacks to is bearable.

    The standard library reads no more of a member than its header declares, so that a header that lies is an error
    of the parser and not a bomb.

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


def parse_xml(archive: zipfile.ZipFile, name: str, *, kind: str) -> ElementTree.Element:
    """One XML member. Entities that multiply are refused by the parser.

    Raises:
        UnreadableDocument: "broken-" and the kind.
    """
    try:
        return ElementTree.fromstring(archive.read(name))
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError,
            RuntimeError, NotImplementedError, LookupError) as error:  # fmt: skip
        raise UnreadableDocument(f"broken-{kind}", f"{name}: {type(error).__name__}: {error}") from error


def dublin_core(root: ElementTree.Element) -> dict[str, Value]:
    """What the properties of an office file or a book say, under our names.

    >>> dublin_core(ElementTree.fromstring("<p><creator>Ann</creator><keywords>a, b</keywords></p>"))
    {'author': 'Ann', 'tags': ('a', 'b')}
    """
    found: dict[str, list[str]] = {}
    for element in root.iter():
        name = _DUBLIN_CORE.get(local(element.tag))
        text = " ".join("".join(element.itertext()).split()) if name else ""
        if name and text:
            found.setdefault(name, []).append(text)
    return typed(found)


def typed(found: Mapping[str, list[str]]) -> dict[str, Value]:
    """Values as they are kept: times in UTC, tags as a tuple, several of anything else with commas between."""
    values: dict[str, Value] = {}
    for name, texts in found.items():
        if name in _TIMES:
            times = [time for text in texts if (time := parse_time(text))]
            values |= {name: times[0]} if times else {}
        elif name == "tags":
            values[name] = tuple(dict.fromkeys(tag for text in texts for tag in _KEYWORDS.split(text) if tag))
        else:
            values[name] = ", ".join(dict.fromkeys(texts)) if name == "author" else texts[0]
    return values


def parse_time(text: str) -> datetime.datetime | None:
    """An ISO date or time in UTC; None when it is none. One without a zone is taken to be in UTC.

    >>> parse_time("2024-05-01T10:00:00+02:00").isoformat()
    '2024-05-01T08:00:00+00:00'
    """
    try:
        time = datetime.datetime.fromisoformat(text.strip())
        zoned = time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
        return zoned.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def local(tag: object) -> str:
    """The name of an element without its namespace; "" for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
