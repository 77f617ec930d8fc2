"""Retrieval tasks of MTEB by name, through the package ``mteb``: its corpora, queries and judgements, our searches.

    SciFact         a task
    MIRACL:de       one of the languages, or other subsets, of a task that has several

A document is its title and text, a query its text, followed by its instruction where the task has one, as ``mteb``
puts them together; so a dense evaluation agrees with the package's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from c2vsearch.errors import InvalidConfig, InvalidDataset
from c2vsearch.evaluation.datasets import CorpusDocument, Dataset, Questions
from c2vsearch.optional import hushed, require


@dataclass(frozen=True, slots=True)
class TaskCorpus:
    """The documents of a task, read anew each time they are gone through."""

    name: str
    rows: Any

    def __iter__(self) -> Iterator[CorpusDocument]:
        for row in self.rows:
            text = row.get("text")
            if not isinstance(text, str):
                raise InvalidDataset(f"the MTEB task {self.name} has a document without text: {str(row.get('id'))!r}")
            yield CorpusDocument(str(row["id"]), str(row.get("title") or ""), text)


def mteb_dataset(task: str | Any, *, split: str | None = None) -> Dataset:
    """A retrieval task of MTEB.

    Args:
        task: Its name, with ``:SUBSET`` where it has several, or a task object of ``mteb``.
        split: One of its evaluation splits; "test", or its first, by default.

    Raises:
        InvalidConfig: There is no such task, or it is not one of retrieval over text.
        InvalidDataset: Its data are not in the cache and cannot be fetched.
        MissingDependency: ``mteb`` is not installed.
    """
    name, _, subset = task.partition(":") if isinstance(task, str) else (task.metadata.name, "", "")
    found = _task(name) if isinstance(task, str) else task
    if found.metadata.type != "Retrieval" or "text" not in found.metadata.modalities:
        raise InvalidConfig(f"the MTEB task {name} is of type {found.metadata.type}; expected one of text retrieval")
    chosen, subset = _split(found, split), _subset(found, subset)
    if isinstance(task, str):  # only what is asked for is fetched
        found = _task(name, hf_subsets=[subset], eval_splits=[chosen])
    data = _loaded(found)[subset][chosen]
    questions = Questions(*_judged(name, data), own_ids=bool(found.ignore_identical_ids))
    return Dataset(name if subset == "default" else f"{name}:{subset}", TaskCorpus(name, data["corpus"]), questions)


def _task(name: str, **filters: Any) -> Any:
    mteb = require("mteb", extra="mteb", purpose=f"the MTEB task {name!r}")
    try:
        return mteb.get_task(name, **filters)
    except KeyError as error:
        near = re.search(r"Did you mean: '([^']+)'", str(error))
        hint = f"; the nearest name is {near[1]}" if near else ""
        raise InvalidConfig(f"there is no file, no folder and no MTEB task {name!r}{hint}") from error


def _split(task: Any, split: str | None) -> str:
    there = list(task.eval_splits)
    if split is not None and split not in there:
        raise InvalidConfig(f"the MTEB task {task.metadata.name} has no split {split!r}; expected {', '.join(there)}")
    return split or ("test" if "test" in there else str(there[0]))


def _subset(task: Any, subset: str) -> str:
    there = [str(name) for name in task.hf_subsets]
    if not subset and len(there) == 1:
        return there[0]
    if subset not in there:
        name = task.metadata.name
        raise InvalidConfig(
            f"the MTEB task {name} has the subsets {', '.join(there)}; name one of them: {name}:{there[0]}"
        )
    return subset


def _loaded(task: Any) -> Any:
    try:
        with hushed("huggingface_hub"):
            task.load_data()
        task.convert_v1_dataset_format_to_v2(num_proc=None)
    except Exception as error:  # the libraries below raise their own and others' errors, network and all
        reason = " ".join(str(error).split())[:200]
        raise InvalidDataset(
            f"the data of the MTEB task {task.metadata.name} are not in the cache and cannot be fetched ({reason}); "
            "run it once with a network"
        ) from error
    return task.dataset


def _judged(name: str, data: Any) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """The queries somebody judged, and what answers them."""
    qrels = {
        str(query): {str(document): int(score) for document, score in answers.items() if score > 0}
        for query, answers in data["relevant_docs"].items()
    }
    queries: dict[str, str] = {}
    for row in data["queries"]:
        text, instruction = row.get("text"), row.get("instruction")
        if not isinstance(text, str):
            raise InvalidDataset(f"the MTEB task {name} has a query that is no text: {str(row.get('id'))!r}")
        if qrels.get(str(row["id"])):
            queries[str(row["id"])] = f"{text} {instruction}" if instruction else text
    if not queries:
        raise InvalidDataset(f"the MTEB task {name} judges no document as relevant")
    return queries, {query: qrels[query] for query in queries}
