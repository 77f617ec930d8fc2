"""Scores that mean the same across queries: how often hits of such a score were judged right."""

from __future__ import annotations

from collections.abc import Mapping

from c2vsearch.collection import Row
from c2vsearch.config import SearchConfig
from c2vsearch.errors import InvalidConfig
from c2vsearch.model.profile import SearchProfile


def relevances(scores: Mapping[Row, float], config: SearchConfig, profile: SearchProfile) -> dict[Row, float]:
    """The relevance of each row, from 0 to 1; nothing where it is not known how scores and answers go together.

    Args:
        scores: Of the mode and fusion of ``config``, before any reranking.
        config: Of the search.
        profile: Of the model: it has a curve for each mode that was measured.
    """
    curve = profile.relevance.get(config.mode)
    if curve is None or (config.mode == "hybrid" and not config.has_usual_scores):
        return {}
    return {row: curve.probability(score) for row, score in scores.items()}


def relevant(scores: Mapping[Row, float], relevance: Mapping[Row, float], config: SearchConfig) -> dict[Row, float]:
    """The scores of the rows that are relevant enough.

    Raises:
        InvalidConfig: Some are left out by a relevance that is not known.
    """
    if config.min_score == 0.0:
        return dict(scores)
    if scores and not relevance:
        raise InvalidConfig(
            f"min_score is {config.min_score:g}, and what a score means was not measured for this model in mode "
            f"{config.mode!r} with this fusion; expected a model with a search.json such as c2v-mini, mode hybrid or "
            "dense and the usual fusion, or no min_score"
        )
    return {row: score for row, score in scores.items() if relevance[row] >= config.min_score}
