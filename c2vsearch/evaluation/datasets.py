"""Questions and judgements in BEIR layout: ``queries.jsonl``, ``qrels/test.tsv``, and maybe ``corpus.jsonl``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2vsearch.chunking import chunk_document
from c2vsearch.collection import CollectionWriter, SourceState
from c2vsearch.config import ChunkingConfig
from c2vsearch.embed import embed_chunks
from c2vsearch.encoder import Encoder
from c2vsearch.encoder.protocol import codec_identity
from c2vsearch.encoder.symmetric import for_task
from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.records import Chunk, Document
from c2vsearch.task import Task

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"
DOCUMENTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Questions:
    """Queries by id, and for each the documents that answer it with how well (above 0).

    ``own_ids`` says that a query may be a document of the corpus itself, under the same id: it is no answer then.
    """

    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    own_ids: bool = False


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document of an evaluation set."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus with its questions. ``documents`` can be gone through more than once."""

    name: str
    documents: Iterable[CorpusDocument]
    questions: Questions


@dataclass(frozen=True, slots=True)
class BeirCorpus:
    """The documents of a ``corpus.jsonl``, read anew each time they are gone through."""

    path: Path

    def __iter__(self) -> Iterator[CorpusDocument]:
        for row in _objects(self.path):
            yield CorpusDocument(row["_id"], str(row.get("title") or ""), row["text"])


def is_beir(folder: Path) -> bool:
    """Whether a folder holds a corpus of its own in BEIR layout."""
    return (folder / CORPUS).is_file()


def read_questions(queries: Path, qrels: Path) -> Questions:
    """Read both files; queries nobody judged are left out.

    Raises:
        InvalidDataset: A file is missing or a line of it cannot be read; the message has its number.
    """
    texts = {row["_id"]: row["text"] for row in _objects(queries)}
    judged: dict[str, dict[str, int]] = {}
    for number, cells in _rows(qrels):
        try:
            query, document, relevance = _judgement(cells)
        except (OverflowError, ValueError) as error:
            if number == 1:  # the header
                continue
            raise InvalidDataset(
                f"{qrels} line {number}: expected query-id, corpus-id and score, tab-separated"
            ) from error
        if query not in texts:
            raise InvalidDataset(f"{qrels} line {number}: the query {query!r} is not in {queries}")
        if relevance > 0:
            judged.setdefault(query, {})[document] = relevance
    if not judged:
        raise InvalidDataset(f"{qrels} judges no document as relevant")
    return Questions({query: texts[query] for query in judged}, judged)


def read_beir(folder: Path) -> Dataset:
    """A BEIR folder: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/test.tsv``.

    Raises:
        InvalidDataset: A file is missing or a line of it cannot be read; the message has its number.
    """
    return Dataset(folder.name, BeirCorpus(folder / CORPUS), read_questions(folder / QUERIES, folder / QRELS))


def index_corpus(
    corpus: Path, place: Path, *, encoder: Encoder, chunking: ChunkingConfig | None = None, task: Task | None = None
) -> None:
    """`index_documents` for a BEIR ``corpus.jsonl``."""
    index_documents(BeirCorpus(corpus), place, encoder=encoder, chunking=chunking, task=task)


def index_documents(
    documents: Iterable[CorpusDocument], place: Path, *, encoder: Encoder, chunking: ChunkingConfig | None = None,
    task: Task | None = None,
) -> None:  # fmt: skip
    """Index the corpus of an evaluation set, each document under its id, so that published figures can be compared.

    Titles are embedded with the text, in front of it. By default a document is one chunk as long as the model reads.
    ``task`` is that of the index: queries are instructed with it, and documents too where it is symmetric.

    Raises:
        InvalidConfig: The chunks asked for are longer than the model reads.
        InvalidDataset: A document cannot be read.
    """
    encoder = for_task(encoder, task)
    settings = chunking or ChunkingConfig.sized(encoder.max_tokens, overlap_tokens=0)
    if settings.max_tokens > encoder.max_tokens:
        name = encoder.fingerprint.name
        raise InvalidConfig(f"max_tokens is {settings.max_tokens}; the model {name} reads at most {encoder.max_tokens}")
    codec = codec_identity(encoder)
    with CollectionWriter.open(
        place, fingerprint=encoder.fingerprint, chunking=settings, rebuild=True, token_codec=codec
    ) as writer:
        writer.set_task(task)
        pending: list[Chunk] = []
        for number, given in enumerate(documents, start=1):
            name, title = given.id, given.title
            document = Document(id=name, source=name, text=given.text, kind="text", title=title)
            if not document.text.strip():
                document = Document(id=name, source=name, text=title or "(empty)", kind="text")
            chunks = chunk_document(document, tokenizer=encoder.tokenizer, config=settings)
            writer.record_source(SourceState(name, len(document.text), 0, doc_id=name, chunks=len(chunks)))
            pending += chunks
            if number % DOCUMENTS_AT_ONCE == 0:
                _store(writer, pending, encoder)
                pending = []
        _store(writer, pending, encoder)
        writer.commit()


def _store(writer: CollectionWriter, chunks: list[Chunk], encoder: Encoder) -> None:
    if chunks:
        embedded = embed_chunks(chunks, encoder=encoder, reuse=lambda hashes: {}, codes=True)
        writer.add(chunks, embedded.rows, embedded.codes)


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """Objects with an ``_id`` of their own and a ``text``, both strings."""
    seen: set[str] = set()
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidDataset(f"{path} line {number}: not JSON ({error})") from error
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("text"), str)
            or not isinstance(row.get("_id"), str | int)
        ):
            raise InvalidDataset(f"{path} line {number}: expected an object with an _id and a text")
        row["_id"] = str(row["_id"])
        if row["_id"] in seen:
            raise InvalidDataset(f"{path} line {number}: the _id {row['_id']!r} was there before; expected each once")
        seen.add(row["_id"])
        yield row


def _judgement(cells: list[str]) -> tuple[str, str, int]:
    """Three columns, or the four of TREC, whose second says nothing."""
    if len(cells) not in (3, 4):
        raise ValueError(f"{len(cells)} columns")
    return cells[0], cells[-2], int(float(cells[-1]))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in _lines(path):
        yield number, next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDataset(f"{path} cannot be read: {error}") from error
