#!/usr/bin/env python3
"""Compare a restored folder with the original, file by file.

    $ ./verify_restore.py ~/Pictures/2023 ~/drill/2023
    identical   1204
    different      1
    missing        0
    extra          0

    different: garden/IMG_0931.xmp

Contents are compared by SHA-256; time stamps and permissions are ignored. A
file that you have edited since the snapshot is bound to show up as different.
The exit status is 0 if nothing is different or missing.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """Relative paths, sorted into four groups."""

    identical: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.different and not self.missing


def digest(path: Path) -> str:
    """Return the SHA-256 of a file without reading it into memory at once."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_below(root: Path) -> set[str]:
    """Return the relative paths of all regular files, not following links."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def compare(original: Path, restored: Path, workers: int = 4) -> Result:
    """Compare two folders and return what was found."""
    left, right = files_below(original), files_below(restored)
    result = Result(missing=sorted(left - right), extra=sorted(right - left))
    common = sorted(left & right)

    def same(name: str) -> bool:
        a, b = original / name, restored / name
        return a.stat().st_size == b.stat().st_size and digest(a) == digest(b)

    with ThreadPoolExecutor(workers) as pool:
        for name, equal in zip(common, pool.map(same, common), strict=True):
            (result.identical if equal else result.different).append(name)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("original", type=Path)
    parser.add_argument("restored", type=Path)
    args = parser.parse_args()
    for folder in (args.original, args.restored):
        if not folder.is_dir():
            parser.error(f"not a folder: {folder}")

    result = compare(args.original, args.restored)
    groups = ("identical", "different", "missing", "extra")
    for group in groups:
        print(f"{group:<10} {len(getattr(result, group)):>5}")
    for group in groups[1:]:
        for name in getattr(result, group):
            print(f"\n{group}: {name}", end="")
    print()
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
