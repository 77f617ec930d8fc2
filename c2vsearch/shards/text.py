"""Names and texts as valid UTF-8, which is what Parquet holds."""

from __future__ import annotations

import re

_UNDECODABLE = re.compile("[%\ud800-\udfff]")
_ESCAPED = re.compile("%(?:u([0-9A-F]{4})|([0-9A-F]{2}))")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_source(source: str) -> str:
    r"""A file name as valid UTF-8, reversibly.

    ``%`` and bytes that are not UTF-8 are written ``%XX``; a lone surrogate that stands for no byte, ``%uXXXX``.

    >>> encode_source("notes/caf\udce9 100%.md")
    'notes/caf%E9 100%25.md'
    """

    def escape(match: re.Match[str]) -> str:
        code = ord(match.group())
        if code == ord("%"):
            return "%25"
        return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"%u{code:04X}"

    plain = source.isascii() and "%" not in source  # nearly every name is, and there are many
    return source if plain else _UNDECODABLE.sub(escape, source)


def decode_source(stored: str) -> str:
    r"""The inverse of `encode_source`.

    >>> decode_source("notes/caf%E9 100%25.md") == "notes/caf\udce9 100%.md"
    True
    """

    def character(match: re.Match[str]) -> str:
        surrogate, byte = match.groups()
        if surrogate is not None:
            return chr(int(surrogate, 16))
        return "%" if byte == "25" else chr(0xDC00 + int(byte, 16))

    return _ESCAPED.sub(character, stored) if "%" in stored else stored


def storable(text: str) -> str:
    """Text as valid UTF-8 of the same length: a lone surrogate becomes U+FFFD, so offsets stay true."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
