"""How well are public questions answered? nDCG@10 of every mode on evaluation sets in BEIR layout.

    python benchmarks/quality.py --data DIR_OF_SETS [--sets adi,cisi] [--modes dense,bm25,hybrid,rerank]

Every set is indexed through the library, a document as one chunk, and searched by the default pipeline. The sets
are not part of the project.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import report

from c2vsearch import Retriever, load_encoder
from c2vsearch.evaluation import evaluate, index_corpus, read_questions

SETS = "adi,cisi,cranfield,cacm,legalsum,wikiqa,feedbackqa,mlquestions"


def main() -> None:
    """Index and measure one set after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--modes", default="dense,bm25,hybrid")
    parser.add_argument("--name", default="quality")
    args = parser.parse_args()
    encoder, modes = load_encoder(), args.modes.split(",")
    results: dict[str, dict[str, float]] = {}
    for name in args.sets.split(","):
        folder = args.data / name
        questions = read_questions(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
        with tempfile.TemporaryDirectory() as place:
            index_corpus(folder / "corpus.jsonl", Path(place) / "index", encoder=encoder)
            retriever = Retriever.open(Path(place) / "index", encoder=encoder)
            measured = evaluate(retriever, questions, modes=modes, measures=("nDCG@10",))
        results[name] = {evaluation.mode: round(evaluation.mean("nDCG@10"), 4) for evaluation in measured}
        print(name, results[name], flush=True)
    mean = {mode: round(sum(row[mode] for row in results.values()) / len(results), 4) for mode in modes}
    fingerprint = encoder.fingerprint
    report(args.name, {"model": f"{fingerprint.name}@{fingerprint.revision}", "nDCG@10": results, "mean": mean})


if __name__ == "__main__":
    main()
