#!/usr/bin/env python3
"""Show which folders of a snapshot are the largest.

``dunnock stats --top`` lists individual files. When the space is taken by a
hundred thousand small ones, a summary per folder is more useful:

    $ ./size_by_folder.py latest --depth 3
      19.1 GiB   14210 files  /home/ana/Pictures
      11.4 GiB     122 files  /home/ana/Videos
       6.9 GiB    9034 files  /home/ana/.thunderbird

Sizes are those of the files before deduplication and compression.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath


def folder_of(path: str, depth: int) -> str:
    """Return the folder that contains ``path``, cut to ``depth`` parts.

    >>> folder_of("/home/ana/Pictures/2024/may/a.jpg", 3)
    '/home/ana/Pictures'
    >>> folder_of("/home/ana/notes.txt", 3)
    '/home/ana'
    """
    parts = PurePosixPath(path).parent.parts
    return str(PurePosixPath(*parts[: depth + 1]))


def total(lines: Iterable[str], depth: int) -> tuple[Counter[str], Counter[str]]:
    """Add up bytes and number of files per folder."""
    size: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for line in lines:
        entry = json.loads(line)
        if entry["type"] != "file":
            continue
        folder = folder_of(entry["path"], depth)
        size[folder] += entry["size"]
        count[folder] += 1
    return size, count


def gib(number: int) -> str:
    """Format a number of bytes in GiB."""
    return f"{number / 2**30:.1f} GiB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", help="id, 'latest' or '@DATE'")
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20)
    args = parser.parse_args()

    command = ["dunnock", "ls", args.snapshot, "--recursive", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        size, count = total(process.stdout, args.depth)
    if process.returncode:
        return process.returncode

    for folder, number in size.most_common(args.rows):
        print(f"{gib(number):>10} {count[folder]:>7} files  {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
