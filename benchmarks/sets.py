"""Evaluation sets in BEIR layout for the scripts here: each is indexed once, in a place that may be kept."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2vsearch import Retriever
from c2vsearch.collection.layout import versions
from c2vsearch.encoder import Encoder
from c2vsearch.evaluation import Questions, index_corpus, read_questions

SETS = "adi,cisi,cranfield,cacm,legalsum,wikiqa,feedbackqa,mlquestions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the sets are, which of them, and where their indexes may stay."""
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--indexes", type=Path, help="keep their indexes here, and use those that are here")


def questions(data: Path, name: str) -> Questions:
    """The questions and judgements of a set."""
    return read_questions(data / name / "queries.jsonl", data / name / "qrels" / "test.tsv")


@contextmanager
def opened(data: Path, name: str, encoder: Encoder, *, indexes: Path | None = None) -> Iterator[Retriever]:
    """A set as an index, a document as one chunk."""
    with tempfile.TemporaryDirectory() as place:
        index = (indexes or Path(place)) / name
        if not versions(index):
            index_corpus(data / name / "corpus.jsonl", index, encoder=encoder)
        with Retriever.open(index, encoder=encoder) as retriever:
            yield retriever
