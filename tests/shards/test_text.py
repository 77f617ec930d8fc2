from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from c2vsearch.shards.text import decode_source, encode_source, storable

any_text = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates too


@given(any_text)
def test_every_string_comes_back_and_is_valid_utf8(source: str) -> None:
    stored = encode_source(source)
    stored.encode("utf-8")
    assert decode_source(stored) == source


@given(st.binary())
def test_every_file_name_comes_back(name: bytes) -> None:
    source = name.decode("utf-8", "surrogateescape")
    assert decode_source(encode_source(source)).encode("utf-8", "surrogateescape") == name
    assert os.fsencode(os.fsdecode(name)) == name


@given(any_text, any_text)
def test_two_names_are_never_stored_as_one(first: str, second: str) -> None:
    assert (encode_source(first) == encode_source(second)) == (first == second)


def test_ordinary_names_stay_readable() -> None:
    for name in ("handbook/Überstunden & Urlaub.md", "日本語.txt", "a\nb.md", "it's [draft] (1).md"):
        assert encode_source(name) == name
    assert encode_source("100%") == "100%25"
    assert encode_source(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf%E9"


@given(any_text)
def test_storable_text_keeps_every_offset(text: str) -> None:
    stored = storable(text)
    stored.encode("utf-8")
    assert len(stored) == len(text)
    assert all(kept == given or "\ud800" <= given <= "\udfff" for kept, given in zip(stored, text, strict=True))
