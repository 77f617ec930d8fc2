"""How well does `Retriever.verify` tell sentences that the handbook supports from those that it does not?

    python benchmarks/checking.py

Sentences written by hand: paraphrases, and sentences with another number, the opposite, another person or thing,
something invented, another topic. The threshold was chosen on every other question; the rest is held out.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench import ROOT, SAMPLES, report

from c2vsearch import Retriever, index_directory
from c2vsearch.rag.support import THRESHOLD

SENTENCES = ROOT / "tests" / "quality" / "support.jsonl"


class Checked(NamedTuple):
    """A sentence, what is so, and what was found."""

    question: str
    sentence: str
    kind: str
    is_supported: bool
    score: float
    source_found: bool
    source_cited: bool


def check(index: Path) -> list[Checked]:
    """Verify every sentence against the context of its question."""
    groups: dict[str, list[dict[str, str | bool]]] = defaultdict(list)
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        groups[record["question"]].append(record)
    checked = []
    with Retriever.open(index) as retriever:
        for question, records in groups.items():
            context = retriever.context(question)
            sources = {cited.source for cited in context.citations}
            answer = retriever.verify(" ".join(str(record["sentence"]) for record in records), context)
            for record, found in zip(records, answer, strict=True):
                place = found.citation.source if found.citation else ""
                checked.append(
                    Checked(
                        question, str(record["sentence"]), str(record["kind"]), bool(record["supported"]), found.score,
                        record["source"] in sources, record["source"] == place,
                    )
                )  # fmt: skip
    return checked


def accuracy(checked: Sequence[Checked], *, threshold: float = THRESHOLD) -> float:
    """The share of sentences with the right verdict."""
    return sum((each.score >= threshold) == each.is_supported for each in checked) / len(checked)


def area(checked: Sequence[Checked]) -> float:
    """The share of pairs of a supported and an unsupported sentence in which the supported one scores higher (AUC)."""
    good = [each.score for each in checked if each.is_supported]
    bad = [each.score for each in checked if not each.is_supported]
    return sum((a > b) + 0.5 * (a == b) for a in good for b in bad) / (len(good) * len(bad))


def halves(checked: Sequence[Checked]) -> tuple[list[Checked], list[Checked]]:
    """The sentences of every other question, on which things were chosen, and the rest."""
    questions = list(dict.fromkeys(each.question for each in checked))
    chosen = set(questions[::2])
    return [x for x in checked if x.question in chosen], [x for x in checked if x.question not in chosen]


def main() -> None:
    """Index the handbook with the bundled model and check."""
    with tempfile.TemporaryDirectory() as place:
        index_directory(SAMPLES / "handbook", index=Path(place, "index"), encoder="c2v-mini")
        checked = check(Path(place, "index"))
    chosen, held_out = halves(checked)
    good = [each for each in checked if each.is_supported]
    report("checking", {
        "sentences": len(checked), "supported": len(good), "threshold": THRESHOLD,
        "auc": {"all": area(checked), "chosen": area(chosen), "held_out": area(held_out)},
        "accuracy": {"all": accuracy(checked), "chosen": accuracy(chosen), "held_out": accuracy(held_out)},
        "right_verdicts": {
            kind: accuracy([each for each in checked if each.kind == kind])
            for kind in dict.fromkeys(each.kind for each in checked)
        },
        "right_source_of_supported": sum(each.source_cited for each in good) / len(good),
    })  # fmt: skip


if __name__ == "__main__":
    main()
