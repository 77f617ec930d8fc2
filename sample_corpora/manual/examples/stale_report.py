#!/usr/bin/env python3
"""Print one line per computer and plan, saying how old its last snapshot is.

Reads the output of ``dunnock snapshots --latest --json``, either from the
command itself or from standard input:

    $ ./stale_report.py
    kestrel/home     ok      14 hours ago
    wren/desk        LATE    6 days ago

    $ ssh pantry dunnock snapshots --latest --json | ./stale_report.py -

The exit status is 0 if everything is recent and 1 if something is late, so the
script can be used in a login message or a monitoring check.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone


@dataclass(frozen=True)
class Latest:
    """The newest snapshot of one series."""

    host: str
    plan: str
    time: datetime

    def age(self, now: datetime) -> timedelta:
        """Return the time since the snapshot; never negative, clocks differ."""
        return max(now - self.time, timedelta(0))


def parse(lines: Iterable[str]) -> Iterator[Latest]:
    """Turn JSON lines into records, skipping blank lines."""
    for line in lines:
        if line.strip():
            entry = json.loads(line)
            yield Latest(
                host=entry["host"],
                plan=entry["plan"],
                time=datetime.fromisoformat(entry["time"]),
            )


def humanize(age: timedelta) -> str:
    """Return a short description such as ``14 hours ago``."""
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return "less than an hour ago"
    if hours < 48:
        return f"{hours} hour{'s' if hours > 1 else ''} ago"
    return f"{hours // 24} days ago"


def run_dunnock() -> list[str]:
    """Ask the default store for the newest snapshot of every series."""
    command = ["dunnock", "snapshots", "--latest", "--json"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return result.stdout.splitlines()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-days", type=float, default=3, metavar="N",
                        help="call a series late after N days (default: 3)")
    parser.add_argument("input", nargs="?", help="'-' reads standard input")
    args = parser.parse_args()

    lines = sys.stdin if args.input == "-" else run_dunnock()
    now = datetime.now(timezone.utc)
    late = False
    for item in sorted(parse(lines), key=lambda entry: (entry.host, entry.plan)):
        age = item.age(now)
        is_late = age > timedelta(days=args.max_days)
        late = late or is_late
        series = f"{item.host}/{item.plan}"
        print(f"{series:<16} {'LATE' if is_late else 'ok':<7} {humanize(age)}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
