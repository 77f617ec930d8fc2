"""Ways to break a file. The same seed of the generator breaks it the same way."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

MARKS = (
    b"%PDF-1.7\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"{\\rtf1", b"PAR1",
    b"ARROW1\0\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<!DOCTYPE html>", b"From a@b.c Mon Jan 1 2024\nA: b\n",
    b"\xff\xfe", b"\xef\xbb\xbf", b"#!/bin/sh\n",
)  # fmt: skip
ODD = (
    b"\0", b"\xff" * 8, b"\x80", b"\xed\xa0\x80", b"-1", b"99999999999999999999", b"1e999", b"\r", b"\xe2\x80\xa8",
    b"&#0;", b"&#x110000;", b"<" * 50, b"[" * 200, b"{" * 200, b"(" * 200, b'"', b"'", b"\\", b"%s%n", b"../../x",
    b"]]>", b"<![CDATA[", b"<!ENTITY a 'b'>", b"\n" * 20, b"\t", b"```", b"---\n", b"| |\n",
)  # fmt: skip


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 3, 10, 50))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def behead(data: bytearray, rng: random.Random) -> None:
    del data[: rng.randrange(min(len(data), 200))]


def repeat(data: bytearray, rng: random.Random) -> None:
    start, end = span(data, rng)
    data[start:start] = bytes(data[start:end]) * rng.choice((1, 2, 20))


def delete(data: bytearray, rng: random.Random) -> None:
    start, end = span(data, rng)
    del data[start:end]


def blank(data: bytearray, rng: random.Random) -> None:
    start, end = span(data, rng)
    data[start:end] = bytes([rng.choice((0, 32, 255, rng.randrange(256)))]) * (end - start)


def insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(ODD)


def remark(data: bytearray, rng: random.Random) -> None:
    mark = rng.choice(MARKS)
    data[: len(mark) if rng.random() < 0.7 else 0] = mark


def swap(data: bytearray, rng: random.Random) -> None:
    start, end = span(data, rng)
    middle = (start + end) // 2
    data[start:end] = data[middle:end] + data[start:middle]


def number(data: bytearray, rng: random.Random) -> None:
    """A length or a count somewhere becomes an extreme one."""
    at, size = rng.randrange(len(data)), rng.choice((1, 2, 4, 8))
    data[at : at + size] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size


def span(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 4, 16, 64, 512)))


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, flip, cut, behead, repeat, delete, blank, insert, insert, remark, swap, number,
)  # fmt: skip


def mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A file broken in one to four ways, or joined with another; what lies in a ZIP also from the inside."""
    if data.startswith(b"PK") and rng.random() < 0.5:
        return _inside(data, others, rng)
    broken = bytearray(data)
    if rng.random() < 0.1:
        other = rng.choice(others)
        broken = broken[: rng.randrange(len(broken))] + other[rng.randrange(len(other)) :]
    for _ in range(rng.randint(1, 4)):
        rng.choice(WAYS)(broken or bytearray(b" "), rng)
    return bytes(broken)


def _inside(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A sound ZIP of broken parts: what parsers of Office files see."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    hit = rng.choice(list(parts))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            if name == hit and rng.random() < 0.1:
                continue
            broken = name == hit or rng.random() < 0.1
            archive.writestr(name, mutated(part, others, rng) if broken and part else part)
    return buffer.getvalue()
