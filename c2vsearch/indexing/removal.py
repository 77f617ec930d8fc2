"""Files and roots taken out of an index. A file that was taken out stays out: the root's selection says so."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from c2vsearch.collection import CollectionWriter, layout
from c2vsearch.collection.layout import open_manifest
from c2vsearch.collection.roots import Root, root_of
from c2vsearch.errors import InvalidConfig, SourceNotFound

_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def remove_files(index: Path | str, patterns: Sequence[str]) -> list[str]:
    """Take out the files that match, and keep them out; the names of those that were there.

    Args:
        index: The index directory.
        patterns: Names in the index, directories of it (``docs/``) or globs, as in ``.gitignore``.

    Raises:
        SourceNotFound: Nothing in the index matches.
        IndexLocked: Another process is writing to it.
    """
    wanted = GitIgnoreSpec.from_lines(patterns)
    manifest = open_manifest(Path(index))
    with CollectionWriter.open(index, fingerprint=manifest.fingerprint, chunking=manifest.chunking) as writer:
        names = sorted(source for source in writer.sources if source in patterns or wanted.match_file(source))
        if not names:
            raise SourceNotFound(
                f"{index} has no file that matches {', '.join(patterns)}; c2vsearch ls shows what it has"
            )
        for name in names:
            writer.remove_source(name)
        left = [(root, _of(root, writer.roots, names)) for root in writer.roots]
        writer.set_roots([_left(root, gone, index) for root, gone in left if not (root.single_file and gone)])
        writer.commit()
    for root, gone in left:
        _forget_copies(root, gone, index)
    return names


def remove_root(index: Path | str, root: Path | str) -> list[str]:
    """Take out a root, by its path or its label, with all of its files; the names of those.

    Raises:
        InvalidConfig: The index has no such root.
        IndexLocked: Another process is writing to it.
    """
    manifest = open_manifest(Path(index))
    with CollectionWriter.open(index, fingerprint=manifest.fingerprint, chunking=manifest.chunking) as writer:
        known = {root.path: root for root in writer.roots} | {root.label: root for root in writer.roots if root.label}
        found = known.get(str(root)) or known.get(str(Path(root).resolve()))
        if found is None:
            raise InvalidConfig(f"{root} is no root of {index}; expected one of {', '.join(known)}")
        names = _of(found, writer.roots, sorted(writer.sources))
        for name in names:
            writer.remove_source(name)
        writer.set_roots([other for other in writer.roots if other.path != found.path])
        writer.commit()
    _forget_copies(found, names, index)
    return names


def _forget_copies(root: Root, names: Iterable[str], index: Path | str) -> None:
    """Remove what was kept of a pipe; files of other roots are not ours to touch."""
    if _is_piped(root, index):
        for name in names:
            Path(root.file(name)).unlink(missing_ok=True)


def _is_piped(root: Root, index: Path | str) -> bool:
    return Path(root.path) == Path(index).resolve() / layout.PIPED


def _of(root: Root, roots: Iterable[Root], names: Iterable[str]) -> list[str]:
    known = tuple(roots)
    return [name for name in names if (owner := root_of(known, name)) is not None and owner.path == root.path]


def _left(root: Root, names: Iterable[str], index: Path | str) -> Root:
    """A root whose selection leaves files out. What came through a pipe is gone, and needs no rule to stay away."""
    if _is_piped(root, index):
        return root
    more = tuple("/" + _SPECIAL.sub(r"\\\1", root.inside(name)) for name in names)
    excluded = (*root.walking.exclude, *(rule for rule in more if rule not in root.walking.exclude))
    return dataclasses.replace(root, walking=dataclasses.replace(root.walking, exclude=excluded))
