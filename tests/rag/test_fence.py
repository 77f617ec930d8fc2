"""A passage cannot end its own quotation: read with a Markdown parser's rule, written here anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.rag.fence import fenced


def blocks(text: str) -> list[str]:
    """The fenced blocks of a Markdown text; a fence is closed by one at least as long."""
    found: list[list[str]] = []
    fence = ""
    for line in text.split("\n"):
        stripped = line.strip(" ")
        is_fence = len(stripped) >= 3 and not stripped.strip("`") and stripped[0] == "`"
        if fence and is_fence and len(stripped) >= len(fence):
            fence = ""
        elif fence:
            found[-1].append(line)
        elif is_fence:
            fence = stripped
            found.append([])
    return ["\n".join(lines) for lines in found]


@given(st.text(alphabet="`\n a[1]", max_size=60))
def test_whatever_is_quoted_is_one_block(text):
    assert blocks(f"[1] a.md\n{fenced(text)}\n\n[2] b.md\n{fenced('end')}") == [text, "end"]


def test_escape_sequences_are_not_live():
    assert "\x1b" not in fenced("\x1b]52;c;aGk=\x07 \u202e \x9b2J")
    assert "\\x1b]52" in fenced("\x1b]52;c;aGk=\x07")
