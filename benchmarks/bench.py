"""What the benchmark scripts share: a corpus of any size, whole-process timing, results as JSON with the machine.

Times on shared machines drift, so commands are run in turn (A B A B ...) and ratios of medians are reported.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SAMPLES = ROOT / "sample_corpora"


def paragraphs() -> list[str]:
    """Every paragraph of the Markdown and text files of the sample corpora."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(SAMPLES.rglob("*")) if path.suffix in {".md", ".txt"}]
    return [paragraph for text in texts for paragraph in text.split("\n\n") if len(paragraph) > 80]


def make_corpus(folder: Path, *, files: int, seed: int = 7) -> None:
    """Files of twelve shuffled paragraphs each, all different, so that nothing can be reused by its hash."""
    generator, pool = random.Random(seed), paragraphs()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        words = [" ".join(generator.sample(text.split(), len(text.split()))) for text in generator.sample(pool, 12)]
        (folder / f"{number:05d}.md").write_text(f"# Note {number}\n\n" + "\n\n".join(words) + "\n", encoding="utf-8")


def timed(command: Sequence[str], *, cwd: Path | None = None) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one whole process."""
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        _, error = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} exited {process.returncode}: {error.decode(errors='replace')[-2000:]}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def in_turn(commands: dict[str, Sequence[str]], *, runs: int, warmup: int = 1) -> dict[str, dict[str, float]]:
    """Run the commands in turn and give minimum, median and maximum wall seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + warmup):
        for name, command in commands.items():
            seconds, _ = timed(command)
            if turn >= warmup:
                times[name].append(seconds)
    return {
        name: {"min": min(values), "median": statistics.median(values), "max": max(values)}
        for name, values in times.items()
    }


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }


def report(name: str, results: object) -> None:
    """Print the results and keep them as ``benchmarks/results/NAME.json``."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"benchmark": name, "machine": machine(), "results": results}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
