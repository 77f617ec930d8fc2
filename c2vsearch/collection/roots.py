"""The directories and files an index is of, and how each of them is read."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2vsearch.config import ReadingConfig, WalkConfig
from c2vsearch.errors import InvalidConfig

SEPARATOR = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A directory, or a single file, with what was asked for when it was indexed: it holds until something else is.

    The names of its sources begin with ``label`` and a colon, unless that is "". ``metadata`` is the table that says
    more of its files, ``reader`` the name of how they are read: when that changes, all of them are read again.
    """

    path: str
    label: str = ""
    single_file: bool = False
    walking: WalkConfig = field(default_factory=WalkConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    metadata: str = ""
    reader: str = ""

    def name(self, source: str) -> str:
        """What a file of this root is called in the index.

        >>> Root(path="/home/me/papers", label="papers").name("2024/a.pdf")
        'papers:2024/a.pdf'
        """
        return f"{self.label}{SEPARATOR}{source}" if self.label else source

    def inside(self, source: str) -> str:
        """The path below this root of a file of it: the inverse of `name`."""
        return source.removeprefix(self.label + SEPARATOR) if self.label else source

    def file(self, source: str) -> str:
        """Where a file of this root lies.

        >>> Root(path="/home/me/papers", label="papers").file("papers:2024/a.pdf")
        '/home/me/papers/2024/a.pdf'
        """
        return self.path if self.single_file else os.path.join(self.path, self.inside(source))


def portable(root: Root, index: Path) -> Root:
    """The root as a manifest has it: one that lies in the index by its path from there, so that it moves with it.

    >>> [portable(Root(path=path), Path("/srv/mine")).path for path in ("/srv/mine/piped", "/srv/mine", "/a")]
    ['piped', '/srv/mine', '/a']
    """
    path = Path(root.path)
    return dataclasses.replace(root, path=str(path.relative_to(index))) if index in path.parents else root


def placed(root: Root, index: Path) -> Root:
    """The inverse of `portable`, wherever the index lies now.

    >>> placed(Root(path="piped"), Path("/mnt/moved")).path
    '/mnt/moved/piped'
    """
    return dataclasses.replace(root, path=os.path.join(index, root.path))


def root_of(roots: Iterable[Root], source: str) -> Root | None:
    """The root a source belongs to; None when it is of none of them.

    >>> roots = (Root(path="/notes"), Root(path="/papers", label="papers"))
    >>> [root_of(roots, source).path for source in ("a.md", "papers:a.pdf")]
    ['/notes', '/papers']
    """
    plain = None
    for root in roots:
        if root.label and source.startswith(root.label + SEPARATOR):
            return root
        plain = root if not root.label else plain
    return plain


def joined(old: Sequence[Root], new: Sequence[Root]) -> tuple[Root, ...]:
    """Roots with others added, or in the place of those of the same path.

    Raises:
        InvalidConfig: One lies in another, so that its files would be there twice.
    """
    by_path = {root.path: root for root in old} | {root.path: root for root in new}
    paths = sorted(by_path)
    for first in paths:
        for second in paths:
            if second.startswith(first.rstrip("/") + "/"):
                raise InvalidConfig(f"{second} lies in {first}; expected directories that lie apart from each other")
    return tuple(by_path.values())


def free_label(path: str, taken: Iterable[str]) -> str:
    """A short name for a root that no other has.

    >>> free_label("/home/me/My papers", {"My-papers"})
    'My-papers-2'
    """
    taken = set(taken)
    stem = re.sub(r"[^\w.-]+", "-", os.path.basename(path)).strip("-.") or "root"
    return next(name for number in range(1, len(taken) + 2) if (name := _numbered(stem, number)) not in taken)


def parse_root(data: Mapping[str, Any]) -> Root:
    """A root from a manifest."""
    return Root(
        **{
            **data,
            "walking": WalkConfig(**_with_tuples(data["walking"])),
            "reading": ReadingConfig(**_with_tuples(data["reading"])),
        }
    )


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"
