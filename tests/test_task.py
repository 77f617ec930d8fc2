"""Named tasks: which there are, and which of them instruct both sides."""

from __future__ import annotations

import pytest

from c2vsearch.errors import InvalidConfig
from c2vsearch.task import TASKS, Task, named_task


def test_the_tasks_and_their_sides() -> None:
    assert list(TASKS) == ["search", "qa", "code", "duplicate", "argument", "fact-check", "similar"]
    assert [name for name, task in TASKS.items() if task.symmetric] == ["duplicate", "similar"]
    assert all(name == task.name for name, task in TASKS.items())
    assert len({task.instruction for task in TASKS.values()}) == len(TASKS)


def test_by_name() -> None:
    assert named_task("qa") is TASKS["qa"]
    assert named_task("claim") is TASKS["fact-check"]
    with pytest.raises(InvalidConfig, match="the task is 'QA'; expected one of search, qa, code"):
        named_task("QA")


@pytest.mark.parametrize("instruction", ["", " \n", None, 7])
def test_an_instruction_has_words(instruction: object) -> None:
    with pytest.raises(InvalidConfig, match="the instruction is "):
        Task("", instruction)  # type: ignore[arg-type]


def test_in_words() -> None:
    assert str(Task("", "Find a dog")) == "Find a dog (queries)"
    assert str(TASKS["similar"]) == "similar: Retrieve semantically similar text (queries and documents)"
