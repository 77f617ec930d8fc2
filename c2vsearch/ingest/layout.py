"""Lines of a printed page to text people read: columns one after the other, paragraphs whole, furniture left out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line, or the part of one that lies in one column. ``x`` and ``y`` in points, ``y`` upwards."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float = 0.0  # of its type
    row: int = 0  # segments with the same number were printed as one line

    @property
    def height(self) -> float:
        """At least a point, whatever a broken font says."""
        return max(self.top - self.bottom, 1.0)


Place = tuple[str, int]
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"\W*(?:page )?(?:#|[ivxlc]{1,7})(?: (?:of|/) #)?\W*$")
_LEADER = re.compile(r"(?:\s?[.·…_]){4,}")
_LED = re.compile(r"[.·…_](?:\s?[.·…_]){3}")  # whether there is one: it is found much faster by what it begins with
_NUMBER: Place = ("#", 0)
_FEW_PAGES = 3
_FULL_PAGE = 8  # lines of a page that may be one of two with furniture
_LISTED = re.compile(r"(?:[•‣▪–—*·-]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHENS = ("-", "\u00ad", "\u2010", "\ufffe", "\x02")
_COLUMN_LINES = 5  # fewer lines side by side are no columns
_COLUMN_WORDS = 3  # a column of fewer words a line is one of a table
_EDGE_LINES = 3  # of a page, above and below, that may be furniture


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Lines of a page, columns one after the other; as they came where there are none, segments joined again."""
    gutter = _gutter(lines)
    if gutter is None:
        return _rejoined(lines)
    ordered: list[Line] = []
    band: list[Line] = []
    for line in lines:
        if line.left < gutter < line.right:
            ordered += _columns(band, gutter)
            ordered.append(line)
            band = []
        else:
            band.append(line)
    return ordered + _columns(band, gutter)


def without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Pages without the headers, footers and page numbers that are printed on most of them."""
    if len(pages) < _FEW_PAGES:
        return _without_what_both_have(pages)
    texts: Counter[Place] = Counter()
    places: dict[int, Counter[str]] = {}
    for page in pages:
        found = {_place(line) for line in _edges(page)}
        texts.update(found)
        for text, height in found:
            places.setdefault(height, Counter())[text] += 1
    needed = max(_FEW_PAGES, len(pages) * 2 // 5)
    common = {place for place, count in texts.items() if count >= (_FEW_PAGES if place == _NUMBER else needed)}
    # Left and right pages may differ, and headers change with the chapter: a place that most pages fill with one of
    # a few texts is that of a header too.
    headers = {
        height for height, told in places.items() if told.total() >= max(6, len(pages) // 2) >= 4 * len(told) / 3
    }
    return [_without(page, common, headers) for page in pages]


def _without_what_both_have(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Two pages without the outermost line that is the same on both; fewer pages, or nearly empty ones, as they are."""
    if len(pages) != 2 or min(map(len, pages)) < _FULL_PAGE:
        return [list(page) for page in pages]
    ends = [_top_to_bottom(page) for page in pages]
    common = [end for end in (0, -1) if _place(ends[0][end]) == _place(ends[1][end])]
    return [
        [line for line in page if not any(line is lines[end] for end in common)]
        for page, lines in zip(pages, ends, strict=True)
    ]


def _without(page: Sequence[Line], common: set[Place], headers: set[int]) -> list[Line]:
    """A page without those of its outermost lines that stand in such places."""
    furniture = {line for line in _edges(page) if (place := _place(line)) in common or place[1] in headers}
    return [line for line in page if line not in furniture] if furniture else list(page)


def paragraphs(lines: Sequence[Line], *, words: Counter[str]) -> list[tuple[str, bool]]:
    """Lines joined to paragraphs, and of each whether it stands right below the one before.

    ``words`` are those of the whole document: they tell whether a hyphen at the end of a line belongs to the word.
    """
    found: list[tuple[str, bool]] = []
    edges = _column_edges(lines)
    previous: Line | None = None
    for line in lines:
        said = line.text.strip()
        if previous is not None and _continues(previous, line, edges[round(previous.left / 20)]):
            found[-1] = (_joined(found[-1][0], said, words), found[-1][1])
        else:
            found.append((said, previous is not None and _is_near(previous, line)))
        previous = line
    return [(_LEADER.sub(" …", text) if _LED.search(text) else text, tight) for text, tight in found if text]


def _is_near(previous: Line, line: Line) -> bool:
    """Whether a line stands right below another, as the items of a list do."""
    gap = previous.bottom - line.top
    return -previous.height < gap < 0.6 * max(previous.height, line.height)


def vocabulary(pages: Sequence[Sequence[Line]]) -> Counter[str]:
    """How often each word stands in the middle of a line, where nobody had to break it."""
    # Words are only looked up where a line ends in a hyphen.
    if not any(line.text.rstrip().endswith(_HYPHENS) for page in pages for line in page):
        return Counter()
    return Counter(word.casefold() for page in pages for line in page for word in _WORD.findall(line.text.strip()[:-1]))


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the white space between two columns is: crossed by few lines, with prose on both sides."""
    if len(lines) < 2 * _COLUMN_LINES:
        return None
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    narrow = [line for line in lines if line.right - line.left < 0.6 * (right - left)]
    if len(narrow) < 2 * _COLUMN_LINES or len(narrow) < 0.5 * len(lines):
        return None
    starts = sorted(line.left for line in narrow)
    best: tuple[int, float] | None = None
    for start in sorted({round(line.left) for line in narrow}):
        place = start - 2.0
        if not left + 0.25 * (right - left) < place < left + 0.75 * (right - left):
            continue
        crossing = sum(line.left < place < line.right for line in narrow)
        beyond = len(starts) - bisect_right(starts, place)
        if crossing <= 0.03 * len(narrow) and _is_prose(narrow, place) and (best is None or beyond > best[0]):
            best = (beyond, place)
    return best[1] if best else None


def _is_prose(lines: Sequence[Line], gutter: float) -> bool:
    """Both sides have lines enough, of words enough, beside each other."""
    first = [line for line in lines if line.right <= gutter + 1]
    second = [line for line in lines if line.left >= gutter - 1]
    if min(len(first), len(second)) < _COLUMN_LINES:
        return False
    if any(median(len(line.text.split()) for line in side) < _COLUMN_WORDS for side in (first, second)):
        return False
    top = min(max(line.top for line in side) for side in (first, second))
    bottom = max(min(line.bottom for line in side) for side in (first, second))
    return top - bottom > 3 * median(line.height for line in lines)


def _columns(band: list[Line], gutter: float) -> list[Line]:
    """Left, then right; each may have columns of its own."""
    sides = ([line for line in band if line.left < gutter], [line for line in band if line.left >= gutter])
    return [line for side in sides for line in in_reading_order(_downwards(side))]


def _downwards(lines: list[Line]) -> list[Line]:
    if all(after.bottom <= before.top for before, after in zip(lines, lines[1:], strict=False)):
        return lines
    return sorted(lines, key=lambda line: (-line.top, line.left))


def _rejoined(lines: Sequence[Line]) -> list[Line]:
    joined: list[Line] = []
    for line in lines:
        if joined and joined[-1].row == line.row:
            joined[-1] = _merged(joined[-1], line)
        else:
            joined.append(line)
    return joined


def _merged(first: Line, second: Line) -> Line:
    return Line(
        f"{first.text.rstrip()} {second.text.lstrip()}", min(first.left, second.left),
        min(first.bottom, second.bottom), max(first.right, second.right), max(first.top, second.top),
        max(first.size, second.size), first.row,
    )  # fmt: skip


def _edges(page: Sequence[Line]) -> list[Line]:
    """The lines that stand at the very top and bottom of a page."""
    by_height = _top_to_bottom(page)
    return by_height[:_EDGE_LINES] + by_height[_EDGE_LINES:][-_EDGE_LINES:]


def _top_to_bottom(page: Sequence[Line]) -> list[Line]:
    return sorted(page, key=lambda line: -line.top)


def _place(line: Line) -> Place:
    """What a line says but for its numbers, and how high it stands; page numbers stand anywhere."""
    text = _DIGITS.sub("#", " ".join(line.text.split())).casefold()
    if _PAGE_NUMBER.match(text):
        return _NUMBER
    return text, round(line.bottom / 6)


def _column_edges(lines: Sequence[Line]) -> dict[int, float]:
    """How far the lines that begin at one place reach: the right edge of their column."""
    reach: dict[int, float] = {}
    for line in lines:
        key = round(line.left / 20)
        reach[key] = max(reach.get(key, 0.0), line.right)
    return {
        place: max(reach.get(near, 0.0) for near in range(place - 2, place + 2))
        for place in {key + shift for key in reach for shift in (-1, 0, 1, 2)}
    }


def _continues(previous: Line, line: Line, edge: float) -> bool:
    """Whether a line goes on with the paragraph of the one above it."""
    if _LED.search(previous.text) or _LISTED.match(line.text.lstrip()) or not _is_near(previous, line):
        return False
    if previous.size and line.size and abs(previous.size - line.size) > 0.1 * previous.size:
        return False
    width = max(edge - previous.left, 1.0)
    reaches = previous.right >= edge - 0.15 * width or previous.text.rstrip().endswith(_HYPHENS)
    indented = line.left > previous.left + 6 and not _LISTED.match(previous.text.lstrip())
    return reaches and not indented and line.left > previous.left - 0.5 * width


def _joined(text: str, more: str, words: Counter[str]) -> str:
    """Two lines as one; a word that was broken at the end of the first is whole again."""
    if not text.endswith(_HYPHENS) or not more[:1].islower() or len(text) < 2 or not text[-2].isalpha():
        return f"{text} {more}"
    before, after = _WORD.findall(text[:-1])[-1:], _WORD.match(more)
    head, tail = (before[0] if before else "").casefold(), (after.group() if after else "").casefold()
    # PDFium tells a hyphen at the end of a line by U+FFFE or a control character, whichever hyphen it is.
    keeps = text[-1] != "\u00ad" and words[f"{head}-{tail}"] > words[head + tail]
    return f"{text[:-1]}-{more}" if keeps else text[:-1] + more
