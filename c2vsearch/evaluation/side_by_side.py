"""Several models, chunk sizes and modes on one target: an index, a folder, a BEIR folder or an MTEB task.

What is not an index yet is indexed in a temporary place, once for each model and chunk size.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from c2vsearch.collection.layout import open_manifest, versions
from c2vsearch.config import DEFAULT_MODEL, ChunkingConfig, WalkConfig
from c2vsearch.encoder import load_encoder
from c2vsearch.errors import InvalidConfig, InvalidDataset, MissingDependency, SourceNotFound
from c2vsearch.evaluation.datasets import (
    CORPUS,
    QRELS,
    QUERIES,
    BeirCorpus,
    Dataset,
    Questions,
    index_documents,
    is_beir,
    read_questions,
)
from c2vsearch.evaluation.evaluate import DEPTH, MEASURES, Evaluation, check_modes, evaluate, parse_measures
from c2vsearch.evaluation.mteb_tasks import mteb_dataset
from c2vsearch.indexing import index_directory
from c2vsearch.inference import LATE_INTERACTION
from c2vsearch.rerankers import Reranker, load_reranker
from c2vsearch.retriever import Retriever
from c2vsearch.terminal import visible_line

TASK_PREFIX = "mteb:"
_TASK_NAME = re.compile(r"[A-Za-z][\w.+-]*(:[\w.+-]+)?")


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured: a place on disk (an index or a folder), or a dataset, with the questions to ask."""

    name: str
    questions: Questions
    place: Path | None = None
    dataset: Dataset | None = None

    @classmethod
    def find(cls, target: str | Path, *, queries: Path | None = None, qrels: Path | None = None) -> Target:
        """An index, a folder or a BEIR folder by path, or an MTEB task by name (``mteb:NAME`` beyond doubt).

        Args:
            target: The path or name.
            queries: JSON lines with ``_id`` and ``text``; those in the folder by default.
            qrels: Judgements of three or four columns; those in the folder by default.

        Raises:
            SourceNotFound: There is nothing of that path or name.
            InvalidDataset: Questions are missing or cannot be read.
        """
        text, place = str(target), Path(target)
        if text.startswith(TASK_PREFIX) or (not place.exists() and _TASK_NAME.fullmatch(text)):
            if queries or qrels:
                raise InvalidConfig(f"{visible_line(text)} is no folder; an MTEB task brings its questions with it")
            dataset = _task(text)
            return cls(dataset.name, dataset.questions, dataset=dataset)
        if not place.exists():
            raise SourceNotFound(f"no file or directory at {visible_line(text)}; expected an index, a folder, or the "
                                 "name of an MTEB task")  # fmt: skip
        questions = read_questions(*_judgements(place, queries, qrels))
        own = Dataset(place.name, BeirCorpus(place / CORPUS), questions) if is_beir(place) else None
        return cls(place.resolve().name, questions, place, own)

    @property
    def is_index(self) -> bool:
        """Whether it is an index already, which holds the vectors of one model."""
        return self.place is not None and bool(versions(self.place))


def evaluate_models(  # noqa: PLR0913
    target: Target, models: Sequence[str] = (), *, modes: Sequence[str] = ("hybrid",),
    measures: Sequence[str] = MEASURES, chunk_sizes: Sequence[ChunkingConfig | None] = (None,), depth: int = DEPTH,
    instruction: str | None = None, on_model: Callable[[str], None] | None = None,
    on_open: Callable[[Retriever], None] | None = None, reranker: Reranker | str | None = None,
) -> list[Evaluation]:  # fmt: skip
    """Every model with every chunk size in every mode, in that order.

    Args:
        target: What is measured.
        models: As `load_encoder` takes them; the default model, or an index's own, when there are none.
        modes: Of "dense", "bm25", "hybrid", "rerank".
        measures: As ``ir_measures`` writes them.
        chunk_sizes: How documents are cut; None is the default of the target.
        depth: Chunks looked at for each query.
        instruction: What the search is for; the task of the index by default, else the model's.
        on_model: Called with the name of each row's model before work on it begins.
        on_open: Called with each index before the questions are asked.
        reranker: Of mode "rerank", as `Retriever.open` takes it; each model's own token states by default.

    Raises:
        InvalidConfig: An unknown mode or measure, or an index is asked for what it was not made with.
        EncoderMismatch: An index was built with another model.
    """
    check_modes(modes)
    parse_measures(measures)
    _check_index(target, models, chunk_sizes)
    found: list[Evaluation] = []
    # One for all models; what takes the token states of a model is made for each.
    second = reranker
    if isinstance(reranker, str) and reranker != LATE_INTERACTION:
        second = load_reranker(reranker)
    for model, short in short_names(models or [_own_model(target)]).items():
        for chunking in chunk_sizes:
            name = f"{short} ({chunking.max_tokens} tokens)" if chunking else short
            if on_model:
                on_model(name)
            with opened(target, model if models else None, chunking=chunking, reranker=second) as retriever:
                if on_open:
                    on_open(retriever)
                found += evaluate(
                    retriever, target.questions, modes=modes, measures=measures, depth=depth, instruction=instruction,
                    model=name,
                )  # fmt: skip
    return found


@contextmanager
def opened(
    target: Target, model: str | None = None, *, chunking: ChunkingConfig | None = None,
    reranker: Reranker | str | None = None,
) -> Iterator[Retriever]:  # fmt: skip
    """The index of a target; what is no index yet is indexed in a temporary place, with the model."""
    if target.is_index and target.place is not None:
        with Retriever.open(target.place, encoder=model, reranker=reranker) as retriever:
            yield retriever
        return
    encoder = load_encoder(model or DEFAULT_MODEL)
    with tempfile.TemporaryDirectory(prefix="c2vsearch-") as name:
        place = Path(name) / "index"
        if target.dataset is not None:
            index_documents(target.dataset.documents, place, encoder=encoder, chunking=chunking)
        elif target.place is not None:
            # The questions lie beside the texts, and are none of them.
            walking = WalkConfig(exclude=(f"/{QUERIES}", "/qrels/"))
            index_directory(target.place, index=place, encoder=encoder, chunking=chunking, walking=walking)
        with Retriever.open(place, encoder=encoder, reranker=reranker) as retriever:
            yield retriever


def short_names(models: Sequence[str]) -> dict[str, str]:
    """What each model is called in a table: of the path of a folder the last two parts, where that is enough.

    >>> short_names(["c2v-mini", "st:intfloat/e5-base-v2", "st:/srv/models/ours/v1", "/srv/models/ours/v2"])
    {'c2v-mini': 'c2v-mini', 'st:intfloat/e5-base-v2': 'st:intfloat/e5-base-v2', 'st:/srv/models/ours/v1': 'st:ours/v1',
    '/srv/models/ours/v2': 'ours/v2'}
    """
    short = {model: _last_parts(model) for model in models}
    counts = Counter(short.values())
    return {model: name if counts[name] == 1 else model for model, name in short.items()}


def _task(text: str) -> Dataset:
    try:
        return mteb_dataset(text.removeprefix(TASK_PREFIX))
    except MissingDependency as error:
        if text.startswith(TASK_PREFIX):
            raise
        # A folder's name with a slip in it is likelier than a task nobody can open here.
        raise SourceNotFound(f"no file or directory at {visible_line(text)}; if a task is meant: {error}") from error


def _last_parts(model: str) -> str:
    prefix = "st:" if model.startswith("st:") else ""
    parts = Path(model.removeprefix(prefix)).parts
    return model if model.startswith("openai:") or len(parts) < 3 else prefix + "/".join(parts[-2:])


def _judgements(place: Path, queries: Path | None, qrels: Path | None) -> tuple[Path, Path]:
    found = (queries or place / QUERIES, qrels or place / QRELS)
    for path, option in zip(found, ("--queries", "--qrels"), strict=True):
        if not path.is_file():
            raise InvalidDataset(f"no file at {visible_line(str(path))}; name it with {option}")
    return found


def _own_model(target: Target) -> str:
    if target.is_index and target.place is not None:
        return open_manifest(target.place).fingerprint.name
    return DEFAULT_MODEL


def _check_index(target: Target, models: Sequence[str], chunk_sizes: Sequence[ChunkingConfig | None]) -> None:
    if not target.is_index:
        return
    if len(models) > 1:
        raise InvalidConfig(
            f"{target.place} is an index, of one model; expected a folder to compare {len(models)} with"
        )
    if any(chunk_sizes):
        raise InvalidConfig(f"{target.place} is an index, cut already; expected a folder to compare chunk sizes with")
