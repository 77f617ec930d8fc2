"""Does "more like this" find the other documents of the same question? Which leg, and how many words?

    python benchmarks/more_like.py /path/to/eval [SET ...]

Sets in BEIR layout. Of each query with at least two relevant documents the first is the example, and the others are
what should be found: nDCG@10 and R@100 of the whole documents, by mode and number of words.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import report

from c2vsearch import Retriever, load_encoder
from c2vsearch.config import SearchConfig
from c2vsearch.evaluation.datasets import Questions, index_documents, read_beir
from c2vsearch.evaluation.evaluate import measure_run
from c2vsearch.records import Hit
from c2vsearch.search import Query, search
from c2vsearch.search.example import direction, leaving_out, telling_words

MEASURES = ["nDCG@10", "R@100"]
COUNTS = (10, 25, 50)
SETS = ("cranfield", "cacm", "cisi")


def cases(questions: Questions) -> Questions:
    """An example for each query, and the other relevant documents as its answers."""
    qrels = {
        query: {name: value for name, value in answers.items() if name != min(answers)}
        for query, answers in questions.qrels.items()
        if len(answers) > 1
    }
    return Questions({query: min(questions.qrels[query]) for query in qrels}, qrels)


def runs(retriever: Retriever, asked: Questions) -> Iterator[tuple[str, dict[str, dict[str, float]], float]]:
    """The documents like each example, in every mode, with the median milliseconds of a search."""
    for mode in ("dense", "bm25", "hybrid"):
        for count in COUNTS if mode != "dense" else COUNTS[:1]:
            config = SearchConfig(k=100, mode=mode, collapse=False)  # type: ignore[arg-type]
            run: dict[str, dict[str, float]] = {}
            times = []
            for query, name in asked.queries.items():
                began = time.perf_counter()
                hits = like(retriever, name, config, words=count)
                times.append(1000 * (time.perf_counter() - began))
                found: dict[str, float] = {}
                for hit in hits:
                    found.setdefault(hit.source, 1.0 / hit.rank)
                run[query] = found
            yield f"{mode} {count}" if mode != "dense" else mode, run, statistics.median(times)


def like(retriever: Retriever, name: str, config: SearchConfig, *, words: int) -> list[Hit]:
    """What `Retriever.more_like` does, with another number of words."""
    collection, example = retriever.collection, retriever.example(name)
    assert example.vectors is not None
    query = Query(" ".join(telling_words(collection, example, count=words)))
    vector = None if config.mode == "bm25" else direction(example.vectors)
    among = leaving_out(collection, example.rows, None)
    return search(collection, query, vector=vector, config=config, highlighter=None, among=among)


def main() -> None:
    """Index each set with the bundled model and look for what is like its documents."""
    data, names = Path(sys.argv[1]), sys.argv[2:] or SETS
    encoder = load_encoder()
    results: dict[str, object] = {}
    for name in names:
        dataset = read_beir(data / name)
        asked = cases(dataset.questions)
        with tempfile.TemporaryDirectory() as place:
            index_documents(dataset.documents, Path(place, "index"), encoder=encoder)
            with Retriever.open(Path(place, "index"), encoder=encoder) as retriever:
                rows = {}
                for label, run, milliseconds in runs(retriever, asked):
                    measured = measure_run(label, run, asked, MEASURES)
                    rows[label] = {measure: measured.mean(measure) for measure in MEASURES} | {"ms": milliseconds}
                    print(name, label, rows[label], flush=True)
        results[name] = {"examples": len(asked.queries), **rows}
    report("more_like", results)


if __name__ == "__main__":
    main()
