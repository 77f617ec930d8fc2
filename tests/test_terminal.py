"""Nothing live reaches a terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.terminal import visible, visible_line

HOSTILE = {
    "clear screen": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;aGk=\x07",
    "link": "\x1b]8;;http://example.org\x1b\\text\x1b]8;;\x1b\\",
    "C1 introducer": "\x9b2J",
    "overwrite": "safe\rrm -rf",
    "backspace": "a\x08b",
    "bidi override": "\u202egnp.exe",
    "tag characters": "a\U000e0041\U000e0042",
    "file name bytes": b"caf\xe9".decode("utf-8", "surrogateescape"),
}


def is_live(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t"


def test_hostile_texts_are_shown_not_run() -> None:
    for text in HOSTILE.values():
        shown = visible(text)
        assert not any(map(is_live, shown))
        assert "\\" in shown


def test_ordinary_text_is_untouched() -> None:
    text = "Grüße, 日本語, עברית, emoji 🎉, tab\tand\nnewline, [bold]markup[/bold]"
    assert visible(text) == text


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_live_character_survives(text: str) -> None:
    assert not any(map(is_live, visible(text)))
    assert not set(visible_line(text)) & {"\n", "\t", "\r", "\x1b"}
    visible(text).encode("utf-8")


def test_one_line_is_one_line_to_every_reader() -> None:
    assert len(visible_line("a\u2028b\u2029c\nd\re\x85f\x0bg\x0ch").splitlines()) == 1
