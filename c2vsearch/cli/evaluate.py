"""`c2vsearch evaluate`: measure an index, or a corpus, with questions and judgements."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import messages, plain_table, print_json, results
from c2vsearch.config import DEFAULT_MODEL
from c2vsearch.errors import InvalidDataset
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.evaluation import Comparison, Evaluation
    from c2vsearch.retriever import Retriever

EXAMPLES = """Examples:

c2vsearch evaluate sample_corpora/handbook --compare dense,bm25,hybrid,rerank

c2vsearch evaluate indexes/handbook --queries my/queries.jsonl --qrels my/qrels.tsv"""


def evaluate(
    target: Annotated[Path, typer.Argument(metavar="INDEX_OR_CORPUS", help="An index, a folder, or a BEIR folder.")],
    queries: Annotated[
        Path | None, typer.Option(help="JSON lines with _id and text; in the corpus by default.")
    ] = None,
    qrels: Annotated[Path | None, typer.Option(help="query-id, corpus-id, score; in the corpus by default.")] = None,
    modes: Annotated[
        str, typer.Option("--compare", metavar="MODES", help="Of dense, bm25, hybrid, rerank.")
    ] = "hybrid",
    measures: Annotated[str, typer.Option(help="As ir_measures writes them.")] = "nDCG@10,R@100,RR@10",
    model: Annotated[str, typer.Option(help="The model, when a corpus has to be indexed first.")] = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Measure how well questions are answered. A corpus that is not an index is indexed in a temporary place first.

    Documents are named by their path below the root, or by their _id in a BEIR corpus.
    """
    from c2vsearch.evaluation import compare, read_questions
    from c2vsearch.evaluation import evaluate as run

    questions = read_questions(*_judgements(target, queries, qrels))
    with _opened(target, model) as retriever:
        names = [name.strip() for name in measures.split(",")]
        evaluations = run(retriever, questions, modes=[mode.strip() for mode in modes.split(",")], measures=names)
    comparisons = [compare(evaluations[0], other, names[0]) for other in evaluations[1:]]
    if as_json:
        print_json(_record(evaluations, comparisons, names))
        return
    console = results()
    console.print(_table(evaluations, names))
    console.print(f"{len(questions.queries)} queries; intervals hold 95 % of bootstrap means", style="dim")
    for c in comparisons:
        console.print(
            f"{c.first} - {c.second}: {c.measure} {c.difference:+.4f}, p = {c.p_value:.3f} (paired permutation)",
            style="dim",
        )


def _judgements(target: Path, queries: Path | None, qrels: Path | None) -> tuple[Path, Path]:
    found = (queries or target / "queries.jsonl", qrels or target / "qrels" / "test.tsv")
    for path, option in zip(found, ("--queries", "--qrels"), strict=True):
        if not path.is_file():
            raise InvalidDataset(f"no file at {visible_line(str(path))}; name it with {option}")
    return found


def _record(evaluations: list[Evaluation], comparisons: list[Comparison], names: list[str]) -> dict[str, Any]:
    modes = {
        evaluation.mode: {
            name: {"mean": evaluation.mean(name), "interval95": evaluation.interval(name)} for name in names
        }
        for evaluation in evaluations
    }
    differences = [
        {"modes": [c.first, c.second], "measure": c.measure, "difference": c.difference, "p": c.p_value}
        for c in comparisons
    ]
    return {"queries": len(evaluations[0].queries), "modes": modes, "comparisons": differences}


@contextmanager
def _opened(target: Path, model: str) -> Iterator[Retriever]:
    from c2vsearch.collection.layout import versions
    from c2vsearch.encoder import load_encoder
    from c2vsearch.evaluation import index_corpus, is_beir
    from c2vsearch.indexing import index_directory
    from c2vsearch.retriever import Retriever

    if versions(target):
        with Retriever.open(target) as retriever:
            yield retriever
        return
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as name:
        place, encoder = Path(name) / "index", load_encoder(model)
        messages().print(f"indexing {visible_line(str(target))} with {encoder.fingerprint.name} ...", style="dim")
        if is_beir(target):
            index_corpus(target / "corpus.jsonl", place, encoder=encoder)
        else:
            index_directory(target, index=place, encoder=encoder)
        with Retriever.open(place, encoder=encoder) as retriever:
            yield retriever


def _table(evaluations: list[Evaluation], names: list[str]) -> Any:
    table = plain_table("", *names, right=tuple(names))
    for evaluation in evaluations:
        cells = []
        for name in names:
            low, high = evaluation.interval(name)
            cells.append(f"{evaluation.mean(name):.4f} [{low:.3f}, {high:.3f}]")
        table.add_row(evaluation.mode, *cells)
    return table
