"""Bytes to text: byte order marks, UTF-8, UTF-16 without a mark, and older encodings by a library's judgement."""

from __future__ import annotations

import codecs
import re
import unicodedata

from c2vsearch.errors import UnreadableDocument

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    b"\x7fELF",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"%PDF",
    b"SQLite format 3",
    b"MZ\x90",
)
_UNFIT = re.compile("[\x00\ud800-\udfff]")  # neither a tokenizer nor Parquet takes these
_CONTROL = frozenset(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}
SAMPLE_BYTES = 65_536


def decode(data: bytes) -> str:
    """The text of a file, verbatim but for NULs and lone surrogates, which become U+FFFD, and NFC.

    Raises:
        UnreadableDocument: The file is empty ("empty") or not text ("binary").

    >>> decode("Grüße".encode("utf-16"))
    'Grüße'
    """
    if not data.strip():
        raise UnreadableDocument("empty", "the file has no text")
    text = fit(_decode(data))
    if not text.strip():
        raise UnreadableDocument("empty", "the file has no text")
    return text


def fit(text: str) -> str:
    r"""A text as tokenizers, Parquet and searching eyes take it: `storable`, and in Unicode's composed form (NFC).

    An accent that follows its letter, as file systems and some editors write it, is the same to people.

    >>> fit("Cafe\u0301\0") == "Caf\u00e9\ufffd"
    True
    """
    return unicodedata.normalize("NFC", storable(text))


def storable(text: str) -> str:
    """A text of the same length that tokenizers and Parquet take: NULs and lone surrogates become U+FFFD."""
    return _UNFIT.sub("\ufffd", text)


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if wide := _wide_encoding(data):
        return data.decode(wide, errors="replace")
    if _is_binary(data):
        raise UnreadableDocument("binary", "the file is not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_older(data, error)


def _decode_older(data: bytes, error: UnicodeDecodeError) -> str:
    broken = data.decode("utf-8", errors="replace")
    sound = sum(character > "\x7f" for character in broken) - broken.count("\ufffd")
    if sound > 4 * broken.count("\ufffd"):  # UTF-8 with a few damaged bytes
        return broken
    from charset_normalizer import from_bytes

    sample = data if len(data) <= SAMPLE_BYTES else data[max(0, error.start - 1000) :][:SAMPLE_BYTES]
    best = from_bytes(sample).best()
    encoding = best.encoding if best is not None else "latin-1"
    # Short western texts are ambiguous: prefer the superset everybody means by "Latin-1".
    if encoding in {"latin_1", "iso8859_1", "cp1250", "cp1252", "iso8859_15", "cp437", "cp850", "mac_roman", "cp858"}:
        encoding = "cp1252"
    return data.decode(encoding, errors="replace")


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: NULs in every second place of mostly western text."""
    sample = data[:SAMPLE_BYTES]
    if len(sample) < 4 or len(data) % 2:
        return None
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return None


def _is_binary(data: bytes) -> bool:
    sample = data[:SAMPLE_BYTES]
    if sample.startswith(_MAGIC):
        return True
    control = sum(sample.count(bytes([code])) for code in _CONTROL)
    return sample.count(0) > len(sample) * 0.001 + 1 or control > len(sample) * 0.02 + 1
