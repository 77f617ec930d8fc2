"""Subtitles (SRT, WebVTT): what is said in paragraphs, each with the time at which it begins."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, Value

_CLOCK = r"[ \t]*(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,]"
_TIMING = re.compile(_CLOCK + r"\d{1,3}[ \t]*-->" + _CLOCK)
_VOICE = re.compile(r"<v(?:\.[^ <>]*)? ([^<>]{1,80})>")
_TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,100}\}")
_LANGUAGE = re.compile(r"\.([a-z]{2,3}(?:-[A-Za-z]{2,4})?)\.(?:srt|vtt)$", re.IGNORECASE)
PARAGRAPH_SECONDS = 30
PAUSE_SECONDS = 4


@dataclass(frozen=True, slots=True)
class _Cue:
    start: int  # seconds
    end: int
    line: int
    text: str


def read_subtitles(blob: Blob, reading: Reading) -> Iterator[Document]:
    """An SRT or VTT file.

    A paragraph ends at a pause, or with a sentence once it has lasted half a minute; it begins with its time, such as
    ``[00:01:30]``, and its line is that of its first cue.

    Raises:
        UnreadableDocument: "broken-subtitles" when no cue is in it.
    """
    cues = list(_cues(decode(blob.data)))
    if not cues:
        raise UnreadableDocument("broken-subtitles", "no cue with its times is in it")
    parts = Parts()
    for paragraph in _paragraphs([cue for cue in cues if cue.text]):
        parts.add(f"[{_clock(paragraph[0].start)}] {' '.join(cue.text for cue in paragraph)}", line=paragraph[0].line)
    named = _LANGUAGE.search(blob.name)
    metadata: dict[str, Value] = {"language": named.group(1)} if named else {}
    yield parts.document(blob, kind="subtitles", metadata=metadata)


def _cues(text: str) -> Iterator[_Cue]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    number = 0
    while number < len(lines):
        timing = _TIMING.match(lines[number]) if "-->" in lines[number] else None
        number += 1
        if timing:
            first, said = number, []
            while number < len(lines) and lines[number].strip() and "-->" not in lines[number]:
                said.append(lines[number])
                number += 1
            yield _Cue(_seconds(timing.groups()[:3]), _seconds(timing.groups()[3:]), first + 1, _plain(" ".join(said)))


def _plain(said: str) -> str:
    voiced = _VOICE.sub(lambda match: f"{match.group(1).strip()}: ", said)
    return " ".join(html.unescape(_TAG.sub("", voiced)).split())


def _seconds(groups: tuple[str | None, ...]) -> int:
    hours, minutes, seconds = (int(group or 0) for group in groups)
    return hours * 3600 + minutes * 60 + seconds


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _paragraphs(cues: list[_Cue]) -> Iterator[list[_Cue]]:
    paragraph: list[_Cue] = []
    for cue in cues:
        if paragraph and _ends(paragraph, cue):
            yield paragraph
            paragraph = []
        if not paragraph or cue.text != paragraph[-1].text:  # rolling captions say a line twice
            paragraph.append(cue)
    if paragraph:
        yield paragraph


def _ends(paragraph: list[_Cue], cue: _Cue) -> bool:
    lasted = cue.start - paragraph[0].start
    sentence = paragraph[-1].text.endswith((".", "?", "!", "…", "。", "？", "！", '"', "”"))
    pause = cue.start - paragraph[-1].end >= PAUSE_SECONDS
    return pause or (lasted >= PARAGRAPH_SECONDS and sentence) or lasted >= 2 * PARAGRAPH_SECONDS
