"""`c2vsearch evaluate`: measure an index, or models on a corpus, with questions and judgements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2vsearch.cli.console import messages, plain_table, print_json, results
from c2vsearch.cli.rerank import RerankerOption
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    from c2vsearch.evaluation import Comparison, Evaluation, Shortfall, Target
    from c2vsearch.retriever import Retriever

EXAMPLES = """Examples:

c2vsearch evaluate sample_corpora/handbook --compare dense,bm25,fused,hybrid

c2vsearch evaluate indexes/handbook --queries my/queries.jsonl --qrels my/qrels.tsv --min nDCG@10=0.6

c2vsearch evaluate beir/scifact --model c2v-mini --model st:all-MiniLM-L6-v2 --compare dense --plots report

c2vsearch evaluate NFCorpus --model openai:http://localhost:11434/v1#nomic-embed-text --compare dense,hybrid"""

WIDE = 1000  # columns, where no screen sets them


def evaluate(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="An index, a folder, a BEIR folder, or the name of an MTEB task.")
    ],
    queries: Annotated[
        Path | None, typer.Option(help="JSON lines with _id and text; in the corpus by default.")
    ] = None,
    qrels: Annotated[Path | None, typer.Option(help="query-id, corpus-id, score; in the corpus by default.")] = None,
    modes: Annotated[
        str, typer.Option("--compare", metavar="MODES", help="Of dense, bm25, fused, hybrid, rerank.")
    ] = "hybrid",
    measures: Annotated[str, typer.Option(help="As ir_measures writes them.")] = "nDCG@10,R@100,RR@10",
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help=f"What a corpus is indexed with, as in index; repeatable. {DEFAULT_MODEL} by default."
        ),
    ] = None,
    max_tokens: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Tokens of a chunk, at most; repeatable. A whole document of a BEIR corpus."),
    ] = None,
    overlap_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens a chunk repeats of the one before, with --max-tokens.")
    ] = None,
    reranker: RerankerOption = None,
    depth: Annotated[int, typer.Option(metavar="N", help="Chunks looked at for each query.")] = 100,
    instruction: Annotated[str | None, typer.Option(help="What the search is for, in your words.")] = None,
    minima: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="MEASURE=VALUE", help="Exit 1 when a mean is below; repeatable."),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write TREC runs and the measures of each query.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw nDCG and recall by k and by document length.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Measure how well questions are answered. A corpus that is not an index is indexed in a temporary place first.

    Documents are named by their path below the root, or by their _id in a BEIR corpus. Mode hybrid is what a query does
    by default; fused is hybrid without a second look; rerank always takes one, and is measured with --reranker anyway.
    The first row is tested against each of the others. With --min, exit 1 when a mean of any row is below.
    """
    from c2vsearch.evaluation import Target, Threshold, compare_all, document_lengths, evaluate_models, shortfalls

    thresholds = [Threshold.parse(text) for text in minima or ()]
    names = _names(measures)
    sizes = _chunk_sizes(max_tokens or [], overlap_tokens)
    _check_folders(run_dir, plots)
    found = Target.find(target, queries=queries, qrels=qrels)
    lengths: dict[str, int] = {}

    def announce(model: str) -> None:
        questions = len(found.questions.queries)
        _say(f"{visible_line(found.name)} with {visible_line(model)}, {questions} queries ...")

    def measure_lengths(retriever: Retriever) -> None:
        if plots is not None and not lengths:
            lengths.update(document_lengths(retriever))

    measured = list(dict.fromkeys([*names, *(threshold.measure for threshold in thresholds)]))
    evaluations = evaluate_models(
        found, models or (), modes=_modes(modes, reranker), measures=measured, chunk_sizes=sizes, depth=depth,
        instruction=instruction, on_model=announce, on_open=measure_lengths, reranker=reranker,
    )  # fmt: skip
    comparisons = compare_all(evaluations, names[0])
    missed = shortfalls(evaluations, thresholds)
    _write(found, evaluations, lengths, run_dir=run_dir, plots=plots)
    if as_json:
        print_json(_record(found, evaluations, comparisons, missed))
    else:
        _show(evaluations, comparisons)
    for shortfall in missed:
        sys.stderr.write(f"c2vsearch: {visible_line(str(shortfall))}\n")
    if missed:
        raise typer.Exit(1)


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InvalidConfig(f"{text!r} names nothing; expected names with commas between them")
    return names


def _modes(text: str, reranker: str | None) -> list[str]:
    """The modes to compare; a reranker that is named is one of them."""
    names = _names(text)
    return names if reranker is None or "rerank" in names else [*names, "rerank"]


def _chunk_sizes(max_tokens: list[int], overlap_tokens: int | None) -> list[ChunkingConfig | None]:
    if not max_tokens:
        if overlap_tokens is not None:
            raise InvalidConfig("--overlap-tokens is given without --max-tokens; expected both")
        return [None]
    return [ChunkingConfig.sized(size, overlap_tokens=overlap_tokens) for size in dict.fromkeys(max_tokens)]


def _check_folders(run_dir: Path | None, plots: Path | None) -> None:
    """What would be found missing only after all the work."""
    from c2vsearch.evaluation.plots import check_matplotlib
    from c2vsearch.evaluation.runs import prepare_folder

    if plots is not None:
        check_matplotlib()
    for folder in (run_dir, plots):
        if folder is not None:
            prepare_folder(folder)


def _write(
    target: Target, evaluations: list[Evaluation], lengths: dict[str, int], *, run_dir: Path | None, plots: Path | None
) -> None:
    from c2vsearch.evaluation import write_plots, write_runs

    if run_dir is not None:
        paths = write_runs(run_dir, evaluations, target.questions)
        _say(f"{len(paths)} runs in {visible_line(str(run_dir))}")
    if plots is not None:
        *_, page = write_plots(plots, evaluations, target.questions, lengths, title=target.name)
        _say(f"plots in {visible_line(str(page))}")


def _say(text: str) -> None:
    """One line on stderr, however long: what scripts read is not wrapped."""
    messages().print(text, style="dim", soft_wrap=True)


def _record(
    target: Target, evaluations: list[Evaluation], comparisons: list[Comparison], missed: list[Shortfall]
) -> dict[str, Any]:
    rows = [
        {
            "model": evaluation.model,
            "mode": evaluation.mode,
            "measures": {
                name: {"mean": evaluation.mean(name), "interval95": evaluation.interval(name)}
                for name in evaluation.values
            },
        }
        for evaluation in evaluations
    ]
    first = {"model": evaluations[0].model, "mode": evaluations[0].mode}
    differences = [
        {
            "first": first, "second": {"model": other.model, "mode": other.mode}, "measure": c.measure,
            "difference": c.difference, "p": c.p_value, "p_holm": c.adjusted,
        }
        for c, other in zip(comparisons, evaluations[1:], strict=True)
    ]  # fmt: skip
    below = [
        {"model": s.model, "mode": s.mode, "measure": s.threshold.measure, "least": s.threshold.least, "mean": s.mean}
        for s in missed
    ]
    return {
        "target": target.name, "queries": len(target.questions.queries), "results": rows, "comparisons": differences,
        "below": below,
    }  # fmt: skip


def _show(evaluations: list[Evaluation], comparisons: list[Comparison]) -> None:
    console = results()
    names = list(evaluations[0].values)
    table = plain_table("model", "mode", *names, right=tuple(names))
    for evaluation in evaluations:
        cells = []
        for name in names:
            low, high = evaluation.interval(name)
            cells.append(f"{evaluation.mean(name):.4f} [{low:.3f}, {high:.3f}]")
        table.add_row(visible_line(evaluation.model), evaluation.mode, *cells)
    # Where there is no screen there is no width to keep to.
    console.print(table, width=None if console.is_terminal else WIDE)
    console.print(f"{len(evaluations[0].queries)} queries; intervals hold 95 % of bootstrap means", style="dim")
    for c in comparisons:
        corrected = f", {c.adjusted:.3f} after Holm" if len(comparisons) > 1 else ""
        console.print(
            f"{visible_line(c.first)} - {visible_line(c.second)}: {c.measure} {c.difference:+.4f}, p = {c.p_value:.3f}"
            f"{corrected} (paired permutation)",
            style="dim",
        )
