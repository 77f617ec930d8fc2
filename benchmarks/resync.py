"""How long does a sync take when nothing changed, and when one file did? Whole processes, ten thousand files.

    python benchmarks/resync.py [--files 10000] [--runs 3]

Start-up is the same command on an index of a single unchanged file: what a sync costs beyond it grows with the files.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from bench import paragraphs, report, timed


def make_notes(folder: Path, *, files: int, seed: int = 7) -> None:
    """Short notes, two paragraphs each, a hundred in a directory."""
    generator, pool = random.Random(seed), paragraphs()
    for number in range(files):
        words = " ".join(generator.choices(pool, k=2)).split()
        generator.shuffle(words)
        place = folder / f"{number // 100:04d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.md").write_text(f"# Note {number}\n\n{' '.join(words[:60])}.\n", encoding="utf-8")


def sync(corpus: Path, index: Path) -> tuple[float, float]:
    """Wall seconds and peak MiB of `c2vsearch index` as a process."""
    program = [sys.executable, "-m", "c2vsearch", "index", str(corpus), "--index", str(index), "--quiet"]
    return timed(program)


def main() -> None:
    """Build both indexes, then sync them in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {"one file": [], "nothing changed": [], "one file changed": []}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make_notes(place / "one", files=1)
        make_notes(place / "many", files=args.files)
        sync(place / "one", place / "index-one")
        built, _ = sync(place / "many", place / "index-many")
        changed = place / "many" / "0000" / "000007.md"
        for run in range(args.runs):
            seconds["one file"].append(sync(place / "one", place / "index-one")[0])
            seconds["nothing changed"].append(sync(place / "many", place / "index-many")[0])
            changed.write_text(f"{changed.read_text(encoding='utf-8')}\nEdited for run {run}.\n", encoding="utf-8")
            seconds["one file changed"].append(sync(place / "many", place / "index-many")[0])
    medians = {what: statistics.median(values) for what, values in seconds.items()}
    report("resync", {
        "files": args.files, "runs": args.runs, "first_build_s": built, "seconds": seconds, "median_s": medians,
        "beyond_start_up_s": {what: value - medians["one file"] for what, value in medians.items()},
    })  # fmt: skip


if __name__ == "__main__":
    main()
