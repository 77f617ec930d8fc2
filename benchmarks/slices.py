"""Is any kind of question answered worse by both legs than by one? nDCG@10 of each mode on six sets of one kind each.

    python benchmarks/slices.py

The sets are written by hand (`tests/quality/*.jsonl`): answers deep in long documents, queries of a word or two, codes
and names, questions that share no word with their answer, negations, sixteen languages. Documents are cut as `index`
cuts them. The difference of hybrid to each leg is tested on the questions in pairs, with a seed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import ROOT, report

from c2vsearch import load_encoder

sys.path.append(str(ROOT))
from tests.quality.slices import MEASURE, MODES, NAMES, comparisons, measure_slice, read_slice


def main() -> None:
    """Measure every set, print a table and keep the figures."""
    encoder = load_encoder()
    rows: dict[str, dict[str, object]] = {}
    print(f"{MEASURE:15}{'questions':>10}{''.join(f'{mode:>9}' for mode in MODES)}")
    for name in NAMES:
        found = read_slice(name)
        with tempfile.TemporaryDirectory() as place:
            measured = measure_slice(found, Path(place) / "index", encoder=encoder)
        means = {mode: round(measured[mode].mean(MEASURE), 4) for mode in MODES}
        print(f"{name:15}{len(found.questions.queries):10}{''.join(f'{mean:9.4f}' for mean in means.values())}")
        against = {
            leg: {"difference": round(each.difference, 4), "p": round(each.p_value, 4)}
            for leg, each in comparisons(measured).items()
        }
        sizes = {"documents": len(found.documents), "questions": len(found.questions.queries)}
        rows[name] = {**sizes, **means, "hybrid against": against}
    fingerprint = encoder.fingerprint
    report("slices", {"model": f"{fingerprint.name}@{fingerprint.revision}", MEASURE: rows})


if __name__ == "__main__":
    main()
