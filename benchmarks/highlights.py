"""Which way of choosing a hit's best sentence finds the one that answers, and what does it cost?

    python benchmarks/highlights.py [--wikiqa DIR]

Questions about the handbook with their answering sentences, marked by hand (tests/quality/highlights.jsonl); of each,
the chunk that has the sentence among the ten best hits. With a folder of WikiQA in BEIR layout also eight sentences of
a text each, one of which answers. Chance is 1 in about 7.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench import ROOT, SAMPLES, report

from c2vsearch import Retriever, index_directory, load_encoder
from c2vsearch.chunking.sentences import sentence_spans
from c2vsearch.encoder import TokenCoder
from c2vsearch.records import Chunk
from c2vsearch.search.highlight import Highlighter, Span, best_sentences
from c2vsearch.search.rerank import CodedInteraction
from c2vsearch.search.token_match import CodedMatch, TokenMatch

QUESTIONS = ROOT / "tests" / "quality" / "highlights.jsonl"
SENTENCES = 8
Way = Callable[[Sequence[Chunk], str], list[Span | None]]


class Case(NamedTuple):
    """A question, a list of chunks, and the spans of the first that answer it."""

    kind: str
    question: str
    chunks: list[Chunk]
    answers: list[Span]


def handbook(retriever: Retriever) -> Iterator[Case]:
    """The chunk with the marked sentence, before the other hits of the question."""
    chunks = {chunk.id: chunk for chunk in retriever.collection.iter_chunks()}
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        question, answer = record["question"], record["answer"]
        for chunk in (chunk for chunk in chunks.values() if chunk.source == record["source"]):
            if answers := [span for span in sentence_spans(chunk.text) if answer in flat(chunk.text[slice(*span)])]:
                hits = [chunks[hit.id] for hit in retriever.search(question, k=10) if hit.id != chunk.id]
                yield Case(record["kind"], question, [chunk, *hits[:9]], answers)
                break


def wikiqa(folder: Path) -> Iterator[Case]:
    """A stretch of the corpus around each answer, at a place drawn from a seed."""
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    places = {record["_id"]: place for place, record in enumerate(corpus)}
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    judged: dict[str, set[int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, _ = line.split("\t")
        judged.setdefault(query, set()).add(places[document])
    generator = random.Random(3)
    for query in queries:
        first = max(0, min(judged[query["_id"]]) - generator.randrange(SENTENCES))
        text, answers = "", []
        for place, record in enumerate(corpus[first : first + SENTENCES], start=first):
            if place in judged[query["_id"]]:
                answers.append((len(text), len(text) + len(record["text"])))
            text += record["text"] + "\n\n"
        yield Case("wikiqa", query["text"], [_chunk(query["_id"], text)], answers)


def _chunk(name: str, text: str) -> Chunk:
    return Chunk(
        id=name, doc_id=name, source=name, start=0, end=len(text), text=text, start_line=1, end_line=1, hash=name
    )  # fmt: skip


def flat(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def is_right(found: Span | None, answers: Sequence[Span]) -> bool:
    """Whether the sentence found lies in one that answers, or one in it."""
    return found is not None and any(found[0] < end and found[1] > start for start, end in answers)


def of_texts(way: Highlighter) -> Way:
    """A way that looks at texts alone."""
    return lambda chunks, query: way([chunk.text for chunk in chunks], query)


def by_codes(encoder: TokenCoder, cases: Sequence[Case]) -> Way:
    """By codes of tokens that were made before."""
    chunks = {chunk.id: chunk for case in cases for chunk in case.chunks}
    made = encoder.encode_token_codes([chunk.embedded_text for chunk in chunks.values()])
    codes = dict(zip(chunks, made, strict=True))
    match = CodedMatch(encoder, CodedInteraction(encoder))
    return lambda chunks, query: match.by_codes(chunks, query, [codes[chunk.id] for chunk in chunks])


def by_cosine(encoder: object) -> Highlighter:
    """The sentence whose own embedding is nearest to that of the question: what an encoder without states allows."""

    def way(texts: Sequence[str], query: str) -> list[Span | None]:
        asked = encoder.encode_queries([query])[0]  # type: ignore[attr-defined]
        found: list[Span | None] = []
        for text in texts:
            spans = sentence_spans(text)
            rows = encoder.encode_documents([text[slice(*span)] for span in spans])  # type: ignore[attr-defined]
            found.append(spans[int(np.argmax(rows @ asked))] if spans else None)
        return found

    return way


def words_else(states: Highlighter) -> Highlighter:
    """Words where one sentence has any that the others have not, states where words tell nothing."""

    def way(texts: Sequence[str], query: str) -> list[Span | None]:
        by_words, by_states = best_sentences(texts, query), states(texts, query)
        return [first or second for first, second in zip(by_words, by_states, strict=True)]

    return way


def measure(way: Way, cases: Sequence[Case]) -> dict[str, float]:
    """The share of right sentences, by kind of question, and the milliseconds of a list of ten hits."""
    right: dict[str, list[bool]] = {}
    wall, cpu = [], []
    for case in cases:
        began, worked = time.perf_counter(), time.process_time()
        [found, *_] = way(case.chunks, case.question)
        if len(case.chunks) == 10:
            wall.append(1000 * (time.perf_counter() - began))
            cpu.append(1000 * (time.process_time() - worked))
        right.setdefault(case.kind, []).append(is_right(found, case.answers))
    shares = {kind: statistics.mean(found) for kind, found in right.items()}
    return shares | {"ms_of_10_hits": statistics.median(wall), "cpu_ms_of_10_hits": statistics.median(cpu)}


def main() -> None:
    """Index the handbook with the bundled model and choose sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wikiqa", type=Path)
    args = parser.parse_args()
    encoder = load_encoder()
    with tempfile.TemporaryDirectory() as place:
        index_directory(SAMPLES / "handbook", index=Path(place, "index"), encoder=encoder)
        with Retriever.open(Path(place, "index"), encoder=encoder) as retriever:
            cases = list(handbook(retriever))
    if args.wikiqa:
        cases += wikiqa(args.wikiqa)
    states = TokenMatch(encoder, encoder.tokenizer)  # type: ignore[arg-type]
    ways = {"words": best_sentences, "states": states, "words, else states": words_else(states),
            "cosine of sentences": by_cosine(encoder)}  # fmt: skip
    found = {name: measure(of_texts(way), cases) for name, way in ways.items()}
    found["codes"] = measure(by_codes(encoder, cases), cases)  # type: ignore[arg-type]
    counts = {kind: sum(case.kind == kind for case in cases) for kind in dict.fromkeys(case.kind for case in cases)}
    report("highlights", {"questions": counts, "right": found})


if __name__ == "__main__":
    main()
