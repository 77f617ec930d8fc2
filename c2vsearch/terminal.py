"""Text from documents and file names, made safe to show: escape sequences become visible, never live.

Rich passes escape sequences, OSC titles, clipboard writes and C1 controls through even with markup off, so
everything that comes from outside goes through `visible` before it reaches a terminal.
"""

from __future__ import annotations

import re

# C0 but tab and newline, DEL, C1, bidirectional overrides and isolates, zero-width and tag characters, surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
# What else begins a new line or leaves it; the separators of lines and paragraphs are breaks to some readers.
_BREAKS = {"\n": "\\n", "\t": "\\t", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_BREAK = re.compile("[\n\t\u2028\u2029]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    r"""Show control characters as escapes; keep newlines, as the system's own, and tabs.

    >>> visible("a\x1b[2Jb\rc\r\n")
    'a\\x1b[2Jb\\x0dc\n'
    """
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    r"""The same for what must stay on one line, such as a file name.

    >>> visible_line("two\nlines")
    'two\\nlines'
    """
    return _BREAK.sub(lambda match: _BREAKS[match.group()], visible(text))
