"""What was found for each query, as TREC run files that ``ir_measures``, ``trec_eval`` and others read.

    DIR/qrels.txt                    the judgements:  query 0 document relevance
    DIR/MODEL.MODE.run               what was found:  query Q0 document rank score tag
    DIR/measures.tsv                 model, mode, query, and a column for each measure

TREC files are split at white space, so white space, percent signs and control characters in ids are percent-encoded
there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from c2vsearch.artifacts import write_bytes
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.evaluation.datasets import Questions
from c2vsearch.evaluation.evaluate import Evaluation, Run

QRELS, MEASURES = "qrels.txt", "measures.tsv"
LONGEST_NAME = 120
# What splits a line or breaks a file, and what a terminal would obey (`c2vsearch.terminal`).
_SPLITS_OR_BREAKS = re.compile(
    r"[\s%\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    r"\U000e0000-\U000e007f]"
)


def prepare_folder(folder: Path) -> Path:
    """Make the folder that results will go to, before hours of work.

    Raises:
        InvalidConfig: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidConfig(f"{folder} cannot be made a folder for results: {error.strerror}") from error
    return folder


def write_runs(folder: Path, evaluations: Sequence[Evaluation], questions: Questions) -> list[Path]:
    """Write a run file for each evaluation, the judgements, and the measures of each query; give the run files."""
    prepare_folder(folder)
    judged = [
        f"{encoded(query)} 0 {encoded(document)} {relevance}"
        for query, answers in questions.qrels.items()
        for document, relevance in answers.items()
    ]
    _write(folder / QRELS, judged)
    paths = []
    for name, evaluation in zip(file_names(evaluations), evaluations, strict=True):
        paths.append(folder / f"{name}.run")
        _write(paths[-1], _run_lines(evaluation.run, tag=name))
    write_bytes(folder / MEASURES, _measures(evaluations).encode("utf-8", "surrogateescape"))
    return paths


def read_run(path: Path) -> Run:
    """Read a TREC run file.

    Raises:
        InvalidDataset: A line of it is none of a run; the message has its number.
    """
    run: Run = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDataset(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        try:
            query, _, document, _, score, _ = cells
            run.setdefault(decoded(query), {})[decoded(document)] = float(score)
        except ValueError as error:
            raise InvalidDataset(f"{path} line {number}: expected query, Q0, document, rank, score and tag") from error
    return run


def run_line(query: str, document: str, *, rank: int, score: float, tag: str) -> str:
    """One line of a TREC run.

    >>> run_line("q 1", "my notes.md", rank=1, score=0.5, tag="bm25")
    'q%201 Q0 my%20notes.md 1 0.5 bm25'
    """
    return f"{encoded(query)} Q0 {encoded(document)} {rank} {score!r} {tag}"


def encoded(name: str) -> str:
    """An id as a TREC file can hold it.

    >>> encoded("my notes/50%.md"), decoded(encoded("my notes/50%.md"))
    ('my%20notes/50%25.md', 'my notes/50%.md')
    """
    return _SPLITS_OR_BREAKS.sub(lambda match: quote(match[0], errors="surrogateescape"), name)


def decoded(name: str) -> str:
    """The id that was encoded."""
    return unquote(name, errors="surrogateescape")


def file_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """A name for the file of each, of model and mode, all different.

    >>> file_names([Evaluation("dense", (), {}, "st:a/b"), Evaluation("dense", (), {}, "st:a b")])
    ['st-a-b.dense', 'st-a-b.dense.2']
    """
    names: list[str] = []
    for evaluation in evaluations:
        parts = (part for part in (evaluation.model, evaluation.mode) if part)
        name = ".".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-.") for part in parts)[-LONGEST_NAME:]
        taken = sum(known == name or re.fullmatch(re.escape(name) + r"\.\d+", known) is not None for known in names)
        names.append(f"{name}.{taken + 1}" if taken else name)
    return names


def _run_lines(run: Run, *, tag: str) -> list[str]:
    return [
        run_line(query, document, rank=rank, score=score, tag=tag)
        for query, found in run.items()
        for rank, (document, score) in enumerate(sorted(found.items(), key=lambda item: -item[1]), start=1)
    ]


def _measures(evaluations: Sequence[Evaluation]) -> str:
    text = io.StringIO()
    table = csv.writer(text, dialect="excel-tab", lineterminator="\n")
    names = list(evaluations[0].values) if evaluations else []
    table.writerow(["model", "mode", "query", *names])
    for evaluation in evaluations:
        for number, query in enumerate(evaluation.queries):
            row = [f"{evaluation.values[name][number]:.6f}" for name in names]
            table.writerow([evaluation.model, evaluation.mode, query, *row])
    return text.getvalue()


def _write(path: Path, lines: Sequence[str]) -> None:
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode("utf-8"))
