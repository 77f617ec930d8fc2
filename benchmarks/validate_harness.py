"""Does `c2vsearch evaluate` measure what others measure? One model, two ways, on sets in BEIR layout.

    python benchmarks/validate_harness.py --data DIR_OF_SETS --model all-MiniLM-L6-v2 [--sets adi,cranfield]

Ours: `st:MODEL` through our chunks, our index and our dense search. Theirs: sentence-transformers' own encode_query
and encode_document, exact cosines in float32, and ir_measures. Both rank 100 documents a query on a CPU in float32,
and each measure has to agree to 1e-3; the script exits with 1 where one does not.

Texts longer than the model reads are cut by sentence-transformers and go in windows, or several chunks, with us. To
compare like with like, our side is given every document (title, a space, text) and query cut where
sentence-transformers cuts it. What `evaluate` gives on the corpus as it is, with titles as context and long documents
in several chunks, is reported beside it and not compared. Vectors are stored as float16: with unit rows a cosine moves
by at most 2**-11 (4.9e-4), far less as a rule, and neighbours closer than that may change places.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import ir_measures
import numpy as np
from bench import report
from sentence_transformers import SentenceTransformer

from c2vsearch import Retriever, load_encoder
from c2vsearch.encoder import Encoder
from c2vsearch.evaluation import CorpusDocument, Dataset, Questions, evaluate, index_documents, read_beir

MEASURES = ("nDCG@10", "R@100", "RR@10")
TOLERANCE = 1e-3
DEPTH = 100


def cut(text: str, encoder: Encoder) -> str:
    """A text as far as the model reads it."""
    spans = encoder.tokenizer.token_spans(text)
    return text if len(spans) <= encoder.max_tokens else text[: spans[encoder.max_tokens - 1][1]]


def joined(document: CorpusDocument) -> str:
    """Title and text in one, as BEIR and MTEB read them."""
    return f"{document.title} {document.text}".strip()


def comparable(dataset: Dataset, encoder: Encoder) -> tuple[Dataset, int]:
    """The set without what only one of the two would read, and how many texts were cut for it."""
    documents = [CorpusDocument(each.id, "", cut(joined(each), encoder)) for each in dataset.documents]
    queries = {name: cut(text, encoder) for name, text in dataset.questions.queries.items()}
    changed = sum(len(short.text) < len(joined(each)) for short, each in zip(documents, dataset.documents, strict=True))
    changed += sum(queries[name] != text for name, text in dataset.questions.queries.items())
    return Dataset(dataset.name, documents, Questions(queries, dataset.questions.qrels)), changed


def ours(dataset: Dataset, encoder: Encoder) -> tuple[dict[str, float], dict[str, dict[str, float]], int]:
    """Means, the cosines of what was found, and chunks, through index and search."""
    with tempfile.TemporaryDirectory() as place:
        index_documents(dataset.documents, Path(place) / "index", encoder=encoder)
        with Retriever.open(Path(place) / "index", encoder=encoder) as retriever:
            [found] = evaluate(retriever, dataset.questions, modes=["dense"], measures=MEASURES, depth=DEPTH)
            names, texts = list(dataset.questions.queries), list(dataset.questions.queries.values())
            hits = retriever.search_batch(texts, k=DEPTH, mode="dense")
            chunks = retriever.collection.manifest.counts["chunks"]
    scores = {name: {hit.source: hit.score for hit in list_} for name, list_ in zip(names, hits, strict=True)}
    return {name: found.mean(name) for name in MEASURES}, scores, chunks


def theirs(dataset: Dataset, model: SentenceTransformer) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Means and all cosines, without a line of ours between."""
    documents = list(dataset.documents)
    rows = model.encode_document([joined(each) for each in documents], normalize_embeddings=True)
    queries = model.encode_query(list(dataset.questions.queries.values()), normalize_embeddings=True)
    cosines = queries @ rows.T
    names = [each.id for each in documents]
    every = {
        query: dict(zip(names, line.tolist(), strict=True))
        for query, line in zip(dataset.questions.queries, cosines, strict=True)
    }
    run = {
        query: {names[index]: float(line[index]) for index in np.argsort(-line, kind="stable")[:DEPTH]}
        for query, line in zip(dataset.questions.queries, cosines, strict=True)
    }
    parsed = [ir_measures.parse_measure(name) for name in MEASURES]
    means = ir_measures.calc_aggregate(parsed, dataset.questions.qrels, run)
    return {str(measure): float(value) for measure, value in means.items()}, every


def validate(dataset: Dataset, encoder: Encoder, model: SentenceTransformer) -> dict[str, object]:
    """Both ways on one set."""
    like, changed = comparable(dataset, encoder)
    measured, scores, chunks = ours(like, encoder)
    expected, cosines = theirs(dataset, model)
    as_it_is, _, pieces = ours(dataset, encoder)
    moved = max(abs(score - cosines[query][name]) for query, found in scores.items() for name, score in found.items())
    return {
        "documents": len(list(dataset.documents)),
        "queries": len(dataset.questions.queries),
        "texts_cut": changed,
        "ours": {name: round(value, 5) for name, value in measured.items()},
        "theirs": {name: round(value, 5) for name, value in expected.items()},
        "largest_difference": round(max(abs(measured[name] - expected[name]) for name in MEASURES), 6),
        "largest_cosine_difference": float(f"{moved:.2g}"),
        "chunks": chunks,
        "as_evaluate_runs_it": {name: round(value, 5) for name, value in as_it_is.items()} | {"chunks": pieces},
    }


def main() -> None:
    """Validate on one set after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a sentence-transformers model, by name or folder")
    parser.add_argument("--sets", default="adi,cranfield")
    parser.add_argument("--name", default="validate_harness")
    args = parser.parse_args()
    encoder = load_encoder(f"st:{args.model}", device="cpu")
    model = SentenceTransformer(args.model, device="cpu")
    sets = {name: validate(read_beir(args.data / name), encoder, model) for name in args.sets.split(",")}
    worst = max(float(str(each["largest_difference"])) for each in sets.values())
    results = {
        "model": Path(args.model).name, "revision": encoder.fingerprint.revision, "max_tokens": encoder.max_tokens,
        "tolerance": TOLERANCE, "largest_difference": worst, "sets": sets,
    }  # fmt: skip
    report(args.name, results)
    if worst > TOLERANCE:
        sys.exit(f"the two differ by {worst}; expected at most {TOLERANCE}")


if __name__ == "__main__":
    main()
