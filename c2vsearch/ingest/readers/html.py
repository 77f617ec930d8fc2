"""HTML: its text in reading order, without navigation, scripts and styles, each part with its line in the file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from c2vsearch.ingest.page import parse_page
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode, fit
from c2vsearch.records import Document

_CHARSET = re.compile(rb"""<(?:meta\b[^>]{0,200}?charset|\?xml\b[^>]{0,100}?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I)
_HEAD_BYTES = 4096
# What pages that say the first mean (WHATWG Encoding Standard).
_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}


def read_html(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An HTML file.

    Raises:
        UnreadableDocument: "no-text".
    """
    page = parse_page(decode_page(blob.data))
    parts = Parts()
    for block in page.blocks:
        parts.add(block.text, level=block.level, line=block.line, tight=block.tight)
    title = page.title or parts.first_heading
    yield parts.document(blob, kind="html", title=title, metadata=page.metadata)


def decode_page(data: bytes) -> str:
    """The text of a page: a byte order mark decides, then what the page says of itself, then its bytes.

    >>> decode_page('<meta charset="windows-1251"><p>Порт'.encode("cp1251"))
    '<meta charset="windows-1251"><p>Порт'
    """
    told = _CHARSET.search(data[:_HEAD_BYTES])
    if told and not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        try:
            name = codecs.lookup(told.group(1).decode("ascii")).name
            if name not in ("utf-8", "utf-16", "utf-16-le", "utf-16-be") and b"\0" not in data[:_HEAD_BYTES]:
                return fit(data.decode(_MEANT.get(name, name), errors="replace"))
        except (LookupError, ValueError, TypeError):  # an encoding nobody knows, or one of the codecs that are none
            pass
    return decode(data)
