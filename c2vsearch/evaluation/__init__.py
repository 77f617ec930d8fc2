"""How good are the answers? Questions and judgements in BEIR layout or of MTEB, the field's measures, comparisons.

`Target.find` says what is measured, `evaluate_models` measures it, `compare_all` tests the differences.
"""

from c2vsearch.evaluation.curves import LengthBand, by_depth, by_length, document_lengths
from c2vsearch.evaluation.datasets import (
    CorpusDocument,
    Dataset,
    Questions,
    index_corpus,
    index_documents,
    is_beir,
    read_beir,
    read_questions,
)
from c2vsearch.evaluation.evaluate import Evaluation, evaluate, measure_run, run_with
from c2vsearch.evaluation.mteb_tasks import mteb_dataset
from c2vsearch.evaluation.plots import write_plots
from c2vsearch.evaluation.runs import read_run, write_runs
from c2vsearch.evaluation.side_by_side import Target, evaluate_models, opened
from c2vsearch.evaluation.significance import Comparison, compare, compare_all, holm
from c2vsearch.evaluation.thresholds import Shortfall, Threshold, shortfalls

__all__ = [
    "Comparison",
    "CorpusDocument",
    "Dataset",
    "Evaluation",
    "LengthBand",
    "Questions",
    "Shortfall",
    "Target",
    "Threshold",
    "by_depth",
    "by_length",
    "compare",
    "compare_all",
    "document_lengths",
    "evaluate",
    "evaluate_models",
    "holm",
    "index_corpus",
    "index_documents",
    "is_beir",
    "measure_run",
    "mteb_dataset",
    "opened",
    "read_beir",
    "read_questions",
    "read_run",
    "run_with",
    "shortfalls",
    "write_plots",
    "write_runs",
]
