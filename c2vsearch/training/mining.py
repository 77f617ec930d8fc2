"""Hard negatives: for each pair, the texts nearest to its query that do not answer it.

The candidates are the positives (and negatives) of all the lines given. The nearest texts of an incomplete
data set are often answers nobody marked, so a candidate counts only if it is clearly further from the query than
the pair's own positive: at most ``max_ratio`` of its score ("TopK-PercPos") or at least ``margin`` below it
("TopK-MarginPos"). Moreira et al., NV-Retriever, arXiv 2407.15831, section 3: both beat a fixed rank window and a
fixed score, and 0.95 was their best share.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder import Encoder
from c2vsearch.errors import InvalidConfig
from c2vsearch.index.lexical import LexicalIndex
from c2vsearch.training.corpus import Corpus, Progress, Rows, normalised, same_text
from c2vsearch.training.leaks import EvaluationTexts
from c2vsearch.training.lines import Line, check_output, check_read_again, plain, read_lines, write_lines
from c2vsearch.training.nearest import nearest_rows

QUERIES_AT_ONCE = 512
SCORE_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class MiningConfig:
    """What a negative is.

    Args:
        negatives: How many each pair gets.
        skip: The nearest so many are left out, whatever their score.
        depth: Ranks looked at, counted from the nearest.
        max_ratio: A negative scores at most this share of the positive's score; None for no such limit.
        margin: A negative scores at least this much less than the positive; None for no such limit.
        same_group: "allow" lets the score decide about texts of the pair's own ``group`` (its page, say) as about
            all others: other sections of a page are the hardest negatives there are. "exclude" keeps them out, for
            groups whose texts answer each other's queries.
        bm25: The best by keywords are candidates as well, by turns with the nearest; the encoder's score decides.
        pick: "top" takes the nearest that are left, "random" draws among them.
        seed: Of the drawing.
        drop_few: Leave out lines with fewer negatives than asked for, instead of writing those there are.
        scores: Write the encoder's scores of the positive and the negatives too.
        max_chars: Longer texts are cut before they are encoded, not in the output.

    >>> MiningConfig(depth=2, skip=2)
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: depth is 2; expected more than skip (2)
    """

    negatives: int = 4
    skip: int = 0
    depth: int = 50
    max_ratio: float | None = 0.95
    margin: float | None = None
    same_group: Literal["allow", "exclude"] = "allow"
    bm25: bool = False
    pick: Literal["top", "random"] = "top"
    seed: int = 0
    drop_few: bool = False
    scores: bool = False
    max_chars: int = 4000

    def __post_init__(self) -> None:
        for name, least in (("negatives", 1), ("skip", 0), ("max_chars", 1)):
            value = getattr(self, name)
            if value < least:
                raise InvalidConfig(f"{name} is {value}; expected at least {least}")
        if self.depth <= self.skip:
            raise InvalidConfig(f"depth is {self.depth}; expected more than skip ({self.skip})")
        if self.max_ratio is not None and not 0 < self.max_ratio <= 1:
            raise InvalidConfig(f"max_ratio is {self.max_ratio}; expected above 0 and at most 1")
        if self.margin is not None and not 0 <= self.margin <= 2:
            raise InvalidConfig(f"margin is {self.margin}; expected from 0 to 2")
        for name, known in (("same_group", ("allow", "exclude")), ("pick", ("top", "random"))):
            if getattr(self, name) not in known:
                raise InvalidConfig(f"{name} is {getattr(self, name)!r}; expected {', '.join(known)}")

    def limit(self, positive: float) -> float:
        """The highest score a negative may have beside a positive of this score.

        A share of a score below zero would lie above it, so the distance counts: ``p - (1 - ratio) |p|``.

        >>> round(MiningConfig().limit(0.8), 3), round(MiningConfig(max_ratio=None, margin=0.1).limit(0.8), 3)
        (0.76, 0.7)
        """
        limits = [float("inf")]
        if self.max_ratio is not None:
            limits.append(positive - (1 - self.max_ratio) * abs(positive))
        if self.margin is not None:
            limits.append(positive - self.margin)
        return min(limits)


@dataclass(slots=True)
class MiningReport:
    """Where every line ended: ``lines`` is the sum of ``mined``, ``few``, ``empty`` and ``leaked``.

    ``few`` lines have fewer negatives than asked for and are written with those, or left out if that was asked for;
    ``empty`` lines (no query or no
    positive) and ``leaked`` ones (by reason) are not written. The rest counts texts: ``texts`` that could be
    negatives, ``negatives`` found, candidates refused as ``too_near`` or as the ``same`` text as the positive.
    """

    lines: int = 0
    mined: int = 0
    few: int = 0
    empty: int = 0
    leaked: dict[str, int] = field(default_factory=dict)
    texts: int = 0
    negatives: int = 0
    too_near: int = 0
    same: int = 0


def mine(
    paths: Sequence[Path],
    out: Path,
    *,
    encoder: Encoder,
    config: MiningConfig | None = None,
    evaluation: EvaluationTexts | None = None,
    instruction: str | None = None,
    on_progress: Progress | None = None,
) -> MiningReport:
    """Write the lines of pairs files with ``negatives`` (behind those they had) and perhaps ``scores``.

    The files are read twice: once for the texts, once to write each line with all its fields. The texts are kept in
    memory, their rows in a temporary file of 4 D bytes a text.

    Args:
        paths: Files of pairs, ``.jsonl`` or ``.jsonl.xz``.
        out: The file to write, compressed if it ends in ``.xz``; replaced in one step when all is done.
        encoder: What says what is near.
        config: What a negative is.
        evaluation: Lines that share a text with these are left out.
        instruction: What the queries are encoded with; the model's default task by default.
        on_progress: Called now and then.

    Raises:
        InvalidDataset: A line cannot be read; the message names it, and ``out`` is as it was.
        InvalidConfig: ``out`` is a directory.
        StorageFull: The disk is full.
    """
    check_output(out)
    settings, report = config or MiningConfig(), MiningReport()
    known = _Known.read(paths, report, evaluation)
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as name:
        place, texts = Path(name), known.corpus
        rows = texts.encode(encoder, place / "rows.f32", max_chars=settings.max_chars, on_progress=on_progress)
        lexical = texts.lexical(place / "bm25", max_chars=settings.max_chars) if settings.bm25 else None
        miner = _Miner(known, rows, lexical, encoder, settings, instruction)
        write_lines(out, miner.lines(paths, report, on_progress))
    return report


@dataclass(slots=True)
class _Known:
    """What the first reading finds: the texts, which lines are left out, and who belongs together."""

    corpus: Corpus = field(default_factory=Corpus)
    left_out: set[int] = field(default_factory=set)
    answers: dict[str, list[int]] = field(default_factory=dict)
    groups: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, paths: Sequence[Path], report: MiningReport, evaluation: EvaluationTexts | None) -> _Known:
        """Read all the lines; count those that are left out."""
        known = cls()
        for number, line in enumerate(read_lines(paths)):
            report.lines += 1
            leak = evaluation.leak((line.query, line.positive, *line.negatives)) if evaluation else None
            if line.empty or leak:
                known.left_out.add(number)
                if line.empty:
                    report.empty += 1
                elif leak:
                    report.leaked[leak] = report.leaked.get(leak, 0) + 1
                continue
            positive = known.corpus.add(line.positive)
            known.answers.setdefault(normalised(line.query), []).append(positive)
            if line.group:
                known.groups.setdefault(line.group, set()).add(positive)
            for text in line.negatives:
                known.corpus.add(text)
        report.texts = len(known.corpus)
        return known

    def never(self, line: Line, *, same_group: str) -> set[int]:
        """Texts that are no negatives of a line: its query's answers, its own negatives, the query itself, its group.

        Every positive that stands with the same query answers it.
        """
        numbers = {*self.answers[normalised(line.query)]}
        numbers.update(
            number for text in (line.query, *line.negatives) if (number := self.corpus.find(text)) is not None
        )
        if line.group and same_group == "exclude":
            numbers |= self.groups[line.group]
        return numbers


class _Candidate(NamedTuple):
    number: int
    score: float


@dataclass(slots=True)
class _Miner:
    known: _Known
    rows: Rows
    lexical: LexicalIndex | None
    encoder: Encoder
    config: MiningConfig
    instruction: str | None

    def lines(
        self, paths: Sequence[Path], report: MiningReport, on_progress: Progress | None
    ) -> Iterator[dict[str, Any]]:
        kept = ((number, line) for number, line in enumerate(read_lines(paths)) if number not in self.known.left_out)
        while block := list(islice(kept, QUERIES_AT_ONCE)):
            yield from self._block(block, report)
            if on_progress:
                on_progress("mining", block[-1][0] + 1, report.lines)
        check_read_again(report.mined + report.few + len(self.known.left_out), report.lines)

    def _block(self, block: Sequence[tuple[int, Line]], report: MiningReport) -> Iterator[dict[str, Any]]:
        lines = [line for _, line in block]
        texts = [plain(line.query[: self.config.max_chars]) for line in lines]
        queries = self.encoder.encode_queries(texts, instruction=self.instruction)
        never = [self.known.never(line, same_group=self.config.same_group) for line in lines]
        near = nearest_rows(queries, self.rows, k=self.config.depth, without=never)
        for place, (number, line) in enumerate(block):
            ranked = near[place][0].tolist()[self.config.skip :]
            if self.lexical is not None:
                ranked = by_turns(ranked, self._by_keywords(texts[place], never[place]))
            row, found = self._row(number, line, queries[place], ranked, report)
            if found == self.config.negatives or not self.config.drop_few:
                yield row

    def _by_keywords(self, query: str, never: set[int]) -> list[int]:
        assert self.lexical is not None
        found = self.lexical.search(query, k=self.config.depth + len(never))
        kept = [int(key) for key, _ in found if int(key) not in never]
        return kept[self.config.skip : self.config.depth]

    def _row(
        self, number: int, line: Line, query: NDArray[np.float32], ranked: list[int], report: MiningReport
    ) -> tuple[dict[str, Any], int]:
        """The line with what was found, and how much. Every candidate is measured by the encoder, whoever named it."""
        positive = self.known.corpus.find(line.positive)
        assert positive is not None
        scores = (self.rows[ranked] @ query).tolist()
        best = float(self.rows[positive] @ query)
        candidates = [_Candidate(*item) for item in zip(ranked, scores, strict=True)]
        chosen = self._chosen(number, line, candidates, best, report)
        report.negatives += len(chosen)
        if len(chosen) == self.config.negatives:
            report.mined += 1
        else:
            report.few += 1
        row = {**line.row, "negatives": [*line.negatives, *(self.known.corpus.texts[item.number] for item in chosen)]}
        row.pop("scores", None)  # those it had are of other negatives
        if self.config.scores:
            before = [found for text in line.negatives if (found := self.known.corpus.find(text)) is not None]
            values = [best, *(float(self.rows[text] @ query) for text in before), *(item.score for item in chosen)]
            row["scores"] = [round(value, SCORE_DIGITS) for value in values]
        return row, len(chosen)

    def _chosen(
        self, number: int, line: Line, candidates: Sequence[_Candidate], positive: float, report: MiningReport
    ) -> list[_Candidate]:
        limit = self.config.limit(positive)
        left = [item for item in candidates if item.score <= limit]
        report.too_near += len(candidates) - len(left)
        order = list(left)
        if self.config.pick == "random":
            random.Random(f"{self.config.seed}:{number}").shuffle(order)
        answer = normalised(line.positive)
        chosen: list[_Candidate] = []
        for item in order:
            if len(chosen) == self.config.negatives:
                break
            if same_text(answer, normalised(self.known.corpus.texts[item.number])):
                report.same += 1
                continue
            chosen.append(item)
        return sorted(chosen, key=left.index)


def by_turns(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Two ranked lists as one, by turns, each number once.

    >>> by_turns([1, 2, 3], [3, 4])
    [1, 3, 2, 4]
    """
    longest = max(len(first), len(second))
    turns = [ranked[place] for place in range(longest) for ranked in (first, second) if place < len(ranked)]
    return list(dict.fromkeys(turns))
