"""What a better judge thinks of each line's texts: scores of the positive and the negatives, to learn from.

A teacher is an encoder (its cosines), BM25, or both: each line's scores are scaled to [0, 1] and averaged with
weights, as `search.fusion.convex` does. BM25 takes its statistics from all the texts of the lines.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder import Encoder, load_encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.index.lexical import LexicalIndex
from c2vsearch.search.fusion import convex, scaled
from c2vsearch.training.corpus import Corpus, Progress, Rows
from c2vsearch.training.lines import Line, check_output, check_read_again, plain, read_lines, write_lines
from c2vsearch.training.mining import QUERIES_AT_ONCE, SCORE_DIGITS

MAX_CHARS = 4000
_BOTH = re.compile(r"(?P<encoder>.+)\+bm25(?::(?P<weight>[0-9.]+))?")


@dataclass(frozen=True, slots=True)
class Teacher:
    """An encoder, BM25, or both; ``lexical_weight`` is the share of BM25.

    Raises:
        InvalidConfig: A share outside 0 to 1, or no encoder where one has a share.
    """

    encoder: Encoder | None
    lexical_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.lexical_weight <= 1.0:
            raise InvalidConfig(f"the share of BM25 is {self.lexical_weight}; expected from 0 to 1")
        if (self.encoder is None) != (self.lexical_weight == 1.0):
            raise InvalidConfig("expected an encoder unless BM25 has the whole share, and none if it has")


@dataclass(slots=True)
class ScoringReport:
    """Where every line ended: ``lines`` is the sum of ``scored``, ``alone`` and ``empty``.

    ``alone`` lines have no negatives: they are written with the one score of their positive. ``empty`` lines (no
    query or no positive) are not written.
    """

    lines: int = 0
    scored: int = 0
    alone: int = 0
    empty: int = 0
    texts: int = 0


def parse_teacher(spec: str, load: Callable[[str], Encoder] = load_encoder) -> Teacher:
    """A teacher by its name: ``MODEL``, ``bm25``, ``MODEL+bm25`` (half and half) or ``MODEL+bm25:SHARE``.

    Raises:
        InvalidConfig: The share is no number from 0 to 1, both excluded.
        ModelNotFound: No such model.

    >>> parse_teacher("hash+bm25:0.3").lexical_weight, parse_teacher("bm25").encoder
    (0.3, None)
    """
    if spec == "bm25":
        return Teacher(None, 1.0)
    match = _BOTH.fullmatch(spec)
    if match is None:
        return Teacher(load(spec))
    try:
        weight = float(match["weight"] or 0.5)
    except ValueError as error:
        raise InvalidConfig(f"the teacher {spec!r} has a share that is no number; expected e.g. 0.3") from error
    if not 0 < weight < 1:
        raise InvalidConfig(f"the teacher {spec!r} gives BM25 a share of {weight}; expected above 0 and below 1")
    return Teacher(load(match["encoder"]), weight)


def distill(
    paths: Sequence[Path],
    out: Path,
    *,
    teacher: Teacher,
    instruction: str | None = None,
    max_chars: int = MAX_CHARS,
    on_progress: Progress | None = None,
) -> ScoringReport:
    """Write the lines of pairs files with ``scores``: the teacher's of the positive, then of each negative.

    An encoder alone gives cosines; BM25 has no fixed range, so with it each line's scores lie in [0, 1], the best of
    the line at 1 (equal ones are all 1).

    Args:
        paths: Files of pairs, ``.jsonl`` or ``.jsonl.xz``, read twice.
        out: The file to write, compressed if it ends in ``.xz``; replaced in one step when all is done.
        teacher: Who scores.
        instruction: What queries are encoded with; the model's default task by default.
        max_chars: Longer texts are cut before they are scored.
        on_progress: Called now and then.

    Raises:
        InvalidDataset: A line cannot be read; the message names it, and ``out`` is as it was.
        InvalidConfig: ``out`` is a directory.
        StorageFull: The disk is full.
    """
    check_output(out)
    report, texts = ScoringReport(), Corpus(key=str.strip)
    for line in read_lines(paths):
        report.lines += 1
        if not line.empty:
            for text in (line.positive, *line.negatives):
                texts.add(text)
    report.texts = len(texts)
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as name:
        place, encoder = Path(name), teacher.encoder
        rows = (
            texts.encode(encoder, place / "rows.f32", max_chars=max_chars, on_progress=on_progress) if encoder else None
        )
        lexical = texts.lexical(place / "bm25", max_chars=max_chars) if teacher.lexical_weight else None
        scorer = _Scorer(teacher, texts, rows, lexical, instruction, max_chars)
        write_lines(out, scorer.lines(paths, report, on_progress))
    return report


@dataclass(slots=True)
class _Scorer:
    teacher: Teacher
    texts: Corpus
    rows: Rows | None
    lexical: LexicalIndex | None
    instruction: str | None
    max_chars: int

    def lines(
        self, paths: Sequence[Path], report: ScoringReport, on_progress: Progress | None
    ) -> Iterator[dict[str, Any]]:
        stream, done = read_lines(paths), 0
        while block := list(islice(stream, QUERIES_AT_ONCE)):
            kept = [line for line in block if not line.empty]
            report.empty += len(block) - len(kept)
            for line, scores in zip(kept, self._scores(kept), strict=True):
                if line.negatives:
                    report.scored += 1
                else:
                    report.alone += 1
                yield {**line.row, "scores": [round(score, SCORE_DIGITS) for score in scores]}
            done += len(block)
            if on_progress:
                on_progress("scoring", done, report.lines)
        check_read_again(done, report.lines)

    def _scores(self, lines: Sequence[Line]) -> Iterator[list[float]]:
        queries = [plain(line.query[: self.max_chars]) for line in lines]
        encoder = self.teacher.encoder
        vectors = encoder.encode_queries(queries, instruction=self.instruction) if encoder and queries else None
        for place, line in enumerate(lines):
            numbers = [
                number for text in (line.positive, *line.negatives) if (number := self.texts.find(text)) is not None
            ]
            scores = self._judged(queries[place], None if vectors is None else vectors[place], numbers)
            yield [scores[number] for number in numbers]

    def _judged(self, query: str, vector: NDArray[np.float32] | None, numbers: list[int]) -> dict[int, float]:
        dense: dict[int, float] = {}
        if vector is not None and self.rows is not None:
            dense = dict(zip(numbers, (self.rows[numbers] @ vector).tolist(), strict=True))
        if self.lexical is None:
            return dense
        found = self.lexical.scores(query, [str(number) for number in numbers])
        lexical = {int(key): score for key, score in found.items()}
        return convex(dense, lexical, weight=1 - self.teacher.lexical_weight) if dense else scaled(lexical)
