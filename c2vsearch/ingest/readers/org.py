"""Org files, verbatim, with their headings and the settings at their top."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.ingest.properties import properties
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Heading

_HEADING = re.compile(r"(\*+)[ \t]+(\S.*)")
_STATE = re.compile(r"(?:TODO|DONE|NEXT|WAITING|HOLD|STARTED|CANCELLED|CANCELED)(?=[ \t]|$)[ \t]*")
_PRIORITY = re.compile(r"\[#[A-Z0-9]\][ \t]*")
_TAGS = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
_SETTING = re.compile(r"#\+(TITLE|AUTHOR|DATE|LANGUAGE|FILETAGS|KEYWORDS|DESCRIPTION):[ \t]*(\S.*)", re.IGNORECASE)
_BLOCK = re.compile(r"[ \t]*#\+(BEGIN|END)_(\w+)", re.IGNORECASE)
_DEEPEST = 10


def read_org(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An Org file."""
    text = decode(blob.data)
    said = properties(_settings(text))
    headings = org_headings(text)
    title = str(said.pop("title", "")) or next((heading.title for heading in headings if heading.level == 1), "")
    yield Document(
        id="", source=blob.source, member=blob.member, text=text, kind="org", title=title, headings=tuple(headings),
        metadata=said,
    )  # fmt: skip


def org_headings(text: str) -> list[Heading]:
    r"""Headlines without their state, priority and tags, outside of blocks.

    >>> [(h.level, h.title) for h in org_headings("* TODO [#A] Pack :trip:\n** Ropes\n")]
    [(1, 'Pack'), (2, 'Ropes')]
    """
    headings: list[Heading] = []
    inside, offset = "", 0
    for line in re.split("(?<=\n)", text):
        bare = line.rstrip()
        if match := _BLOCK.match(bare):
            kind = match.group(2).lower()
            if match.group(1).upper() == "BEGIN":
                inside = inside or kind
            elif kind == inside:
                inside = ""
        elif not inside and (match := _HEADING.match(bare)):
            title = _TAGS.sub("", _PRIORITY.sub("", _STATE.sub("", match.group(2), count=1), count=1)).strip()
            headings.append(Heading(offset, min(len(match.group(1)), _DEEPEST), title))
        offset += len(line)
    return [heading for heading in headings if heading.title]


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text[:20_000].split("\n"):
        if match := _SETTING.match(line.rstrip()):
            name, value = match.group(1).lower(), match.group(2)
            yield name, value.strip(":").replace(":", ",") if name == "filetags" else value.strip("<>[]")
