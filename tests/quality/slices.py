"""Six small sets of questions, each hard in one way, and how well an index of their documents answers them.

A file holds one JSON object a line: documents ``{"document": id, "title": ..., "text": ...}``, then questions
``{"question": ..., "answers": {id: grade}}``; grade 2 answers the question, grade 1 helps. In long-document a question
has ``evidence`` as well: words of the place in its document that answers it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2vsearch import Retriever
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder import Encoder
from c2vsearch.errors import InvalidDataset
from c2vsearch.evaluation import Comparison, CorpusDocument, Evaluation, Questions, compare, evaluate, index_documents

NAMES = ("long-document", "short-query", "keyword-only", "paraphrase", "negation", "multilingual")
FOLDER = Path(__file__).parent
MODES = ("bm25", "dense", "hybrid")
MEASURE = "nDCG@10"
GRADES = (1, 2)

# With 50 to 90 questions a mean difference has a standard error of 0.01 to 0.03: a loss of up to 0.02 that the paired
# test does not call clear may be the choice of questions.
MOST_LOSS = 0.02
CLEAR = 0.05


@dataclass(frozen=True, slots=True)
class Slice:
    """Documents and questions of one kind; ``evidence`` by the id of the question, where it is given."""

    name: str
    documents: tuple[CorpusDocument, ...]
    questions: Questions
    evidence: dict[str, str]


def read_slice(name: str, *, folder: Path = FOLDER) -> Slice:
    """Read and check one set; the id of a question is its number.

    Raises:
        InvalidDataset: A line of it is neither a document nor a question, or names what is not there.
    """
    path = folder / f"{name}.jsonl"
    documents: dict[str, CorpusDocument] = {}
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    evidence: dict[str, str] = {}
    for number, row in _rows(path):
        where = f"{path.name} line {number}"
        if "document" in row:
            found = _document(row, where)
            if found.id in documents or queries:
                raise InvalidDataset(
                    f"{where}: {found.id!r} comes again or after a question; expected each once, first"
                )
            documents[found.id] = found
            continue
        key = str(len(queries) + 1)
        queries[key], qrels[key] = _question(row, where, documents)
        if "evidence" in row:
            evidence[key] = _text(row, "evidence", where)
    return Slice(name, tuple(documents.values()), Questions(queries, qrels), evidence)


def measure_slice(given: Slice, place: Path, *, encoder: Encoder) -> dict[str, Evaluation]:
    """Index a set in chunks of the default size and ask its questions in every mode."""
    index_documents(given.documents, place, encoder=encoder, chunking=ChunkingConfig())
    with Retriever.open(place, encoder=encoder) as retriever:
        found = evaluate(retriever, given.questions, modes=MODES, measures=(MEASURE,))
    return {evaluation.mode: evaluation for evaluation in found}


def comparisons(measured: dict[str, Evaluation]) -> dict[str, Comparison]:
    """Hybrid against each of its legs, question by question."""
    return {leg: compare(measured["hybrid"], measured[leg], MEASURE) for leg in MODES if leg != "hybrid"}


def is_below(found: Comparison) -> bool:
    """Whether the first is worse than the second by more than may be chance."""
    return found.difference < -MOST_LOSS or (found.difference < 0 and found.p_value < CLEAR)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidDataset(f"{path.name} line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise InvalidDataset(f"{path.name} line {number}: expected an object")
        yield number, row


def _document(row: dict[str, Any], where: str) -> CorpusDocument:
    return CorpusDocument(_text(row, "document", where), _text(row, "title", where), _text(row, "text", where))


def _question(
    row: dict[str, Any], where: str, documents: dict[str, CorpusDocument]
) -> tuple[str, dict[str, int]]:  # fmt: skip
    answers = row.get("answers")
    if not isinstance(answers, dict) or GRADES[-1] not in answers.values():
        raise InvalidDataset(f"{where}: expected answers with a document of grade {GRADES[-1]} among them")
    for name, grade in answers.items():
        if name not in documents or grade not in GRADES:
            raise InvalidDataset(
                f"{where}: {name!r} with grade {grade!r}; expected a document with a grade of {GRADES}"
            )
    return _text(row, "question", where), answers


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise InvalidDataset(f"{where}: {key} is {value!r}; expected a text without space around it")
    return value
