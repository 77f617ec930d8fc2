"""How good are the answers? Questions and judgements in BEIR layout, the field's measures, intervals, comparisons."""

from c2vsearch.evaluation.datasets import Questions, index_corpus, is_beir, read_questions
from c2vsearch.evaluation.evaluate import Comparison, Evaluation, compare, evaluate

__all__ = ["Comparison", "Evaluation", "Questions", "compare", "evaluate", "index_corpus", "is_beir", "read_questions"]
