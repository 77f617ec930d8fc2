"""What a search is for: an instruction that stands before each query and, where both sides are alike, each document.

The texts are those that models which follow instructions were trained and measured with: E5-mistral (Wang et al., 2024,
arXiv 2401.00368) for MS MARCO, NQ, Quora, ArguAna, FEVER and STS, CodeR (2025, arXiv 2505.12697) for CosQA.

Retrieval instructs queries alone, arguments and claims too, so that documents are embedded once for all such tasks.
Duplicates (Quora) and similar texts (STS) are symmetric: either text could be the query, and both are instructed, as
E5-mistral and LLM2Vec (BehnamGhader et al., 2024, arXiv 2404.05961) do.
"""

from __future__ import annotations

from dataclasses import dataclass

from c2vsearch.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Task:
    """An instruction, and which side it is for. ``name`` is "" for one in somebody's own words.

    >>> Task("", "Find the rule that answers").symmetric
    False
    >>> Task("", " ")
    Traceback (most recent call last):
    ...
    c2vsearch.errors.InvalidConfig: the instruction is ' '; expected words that say what the search is for
    """

    name: str
    instruction: str
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.instruction, str) or not self.instruction.strip():
            raise InvalidConfig(
                f"the instruction is {self.instruction!r}; expected words that say what the search is for"
            )

    def __str__(self) -> str:
        sides = "queries and documents" if self.symmetric else "queries"
        return f"{self.name + ': ' if self.name else ''}{self.instruction} ({sides})"


TASKS = {
    task.name: task
    for task in (
        Task("search", "Given a web search query, retrieve relevant passages that answer the query"),
        Task("qa", "Given a question, retrieve passages that answer the question"),
        Task("code", "Given a web search query, retrieve relevant code that can help answer the query"),
        Task(
            "duplicate",
            "Given a question, retrieve questions that are semantically equivalent to the given question",
            symmetric=True,
        ),
        Task("argument", "Given a claim, find documents that refute the claim"),
        Task("fact-check", "Given a claim, retrieve documents that support or refute the claim"),
        Task("similar", "Retrieve semantically similar text", symmetric=True),
    )
}
OTHER_NAMES = {"claim": "fact-check"}


def named_task(name: str) -> Task:
    """The task of a name.

    Raises:
        InvalidConfig: There is none of that name.

    >>> print(named_task("claim"))
    fact-check: Given a claim, retrieve documents that support or refute the claim (queries)
    """
    found = TASKS.get(OTHER_NAMES.get(name, name))
    if found is None:
        raise InvalidConfig(
            f"the task is {name!r}; expected one of {', '.join(TASKS)}, or an instruction in your own words"
        )
    return found
