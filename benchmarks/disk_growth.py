"""Does an index that is kept up to date all day grow? A thousand syncs of one changed file each: bytes on the disk.

    python benchmarks/disk_growth.py [--syncs 1000] [--files 200]

Once as fast as it goes, so that all versions are of the last minutes, and once as if the syncs were far apart. A file
that several names link to counts once. The encoder is a hash of the words: vectors have the usual size and no sense.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from bench import make_corpus, report

from c2vsearch.collection import Collection, sweep
from c2vsearch.encoder import HashEncoder
from c2vsearch.indexing import index_directory

SAMPLES = 20


def used(index: Path) -> dict[str, int]:
    """What is on the disk: bytes, names, versions."""
    status = [path.stat() for path in index.rglob("*") if path.is_file()]
    by_inode = {each.st_ino: each.st_blocks * 512 for each in status}
    return {
        "bytes": sum(by_inode.values()), "files": len(status), "versions": len(list((index / "versions").iterdir())),
    }  # fmt: skip


def grow(place: Path, *, syncs: int, files: int, keep_seconds: float) -> dict[str, object]:
    """Sync again and again; what was on the disk now and then."""
    sweep.KEEP_SECONDS = keep_seconds
    corpus, index, encoder = place / "corpus", place / "index", HashEncoder(dim=768)
    make_corpus(corpus, files=files)
    index_directory(corpus, index=index, encoder=encoder)
    names, seen, began = sorted(corpus.iterdir()), [{"syncs": 0, **used(index)}], time.perf_counter()
    for number, path in zip(range(1, syncs + 1), itertools.cycle(names)):
        path.write_text(f"{path.read_text(encoding='utf-8')}\nEdited for sync {number}.\n", encoding="utf-8")
        index_directory(corpus, index=index, encoder=encoder)
        if number % max(syncs // SAMPLES, 1) == 0:
            seen.append({"syncs": number, **used(index)})
    seconds = time.perf_counter() - began
    collection = Collection.open(index)
    collection.verify()
    newest = sum(entry.size_bytes for entry in collection.manifest.files())
    most = max(each["bytes"] for each in seen)
    return {
        "seconds": seconds, "current_version_bytes": newest, "most_bytes": most, "most_over_current": most / newest,
        "over_time": seen,
    }  # fmt: skip


def main() -> None:
    """Both paces, each in an index of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--syncs", type=int, default=1000)
    parser.add_argument("--files", type=int, default=200)
    args = parser.parse_args()
    paces = {"far apart": 0.0, "as fast as it goes": sweep.KEEP_SECONDS}
    results: dict[str, object] = {"syncs": args.syncs, "files": args.files}
    for pace, keep_seconds in paces.items():
        with tempfile.TemporaryDirectory() as name:
            results[pace] = grow(Path(name), syncs=args.syncs, files=args.files, keep_seconds=keep_seconds)
    report("disk_growth", results)


if __name__ == "__main__":
    main()
