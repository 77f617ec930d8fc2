"""Which files of a directory are read: sorted, ignore rules honoured, nothing outside the root, nothing that blocks.

What a rule leaves out is not reported; what cannot be read is, with its reason, so that every file a person
expects to find is accounted for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from c2vsearch.config import WalkConfig
from c2vsearch.errors import SourceNotFound
from c2vsearch.records import FileReport, SourceFile

IGNORE_FILES = (".gitignore", ".c2vsearchignore")
# Never documents, also where no ignore file says so.
JUNK = frozenset(
    {".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache"}
)

# An ignore file's directory, relative to the root, and its rules.
Rules = tuple[tuple[str, GitIgnoreSpec], ...]


def walk(root: Path, *, config: WalkConfig) -> Iterator[SourceFile | FileReport]:
    """Files below a directory in order of their path; for a file, that file alone whatever the rules say.

    Symbolic links are not followed unless the settings say so: what they point to inside the root is read under its
    own name. When they are, a directory outside the root is read once, through the first link that leads there.

    Raises:
        SourceNotFound: There is nothing at ``root``.
    """
    if root.is_file():
        yield _examine(root.name, str(root), config)
        return
    if not root.is_dir():
        raise SourceNotFound(f"no file or directory at {root}; expected the documents to index")
    yield from _Walk(root, config).files()


class _Walk:
    """One pass over a directory. A stack, not recursion: trees can be deeper than Python's."""

    def __init__(self, root: Path, config: WalkConfig) -> None:
        self._root, self._config = str(root), config
        self._real_root = os.path.realpath(root)
        self._selection = _Selection(config)
        self._linked: set[str] = set()  # directories outside the root that were read through a link

    def files(self) -> Iterator[SourceFile | FileReport]:
        rules = _rules_above(Path(self._root)) if self._config.ignore_files else ()
        pending: list[tuple[str, str, Rules]] = [(self._root, "", rules)]
        while pending:
            path, source, rules = pending.pop()
            if source and not source.endswith("/"):
                yield _examine(source, path, self._config)
                continue
            if refused := self._refused(path, source):
                yield refused
                continue
            try:
                entries = sorted(os.scandir(path), key=lambda entry: entry.name, reverse=True)
            except OSError as error:
                detail = f"cannot list the directory: {error.strerror}"
                yield FileReport(source or ".", "failed", _reason(error), detail)
                continue
            if self._config.ignore_files:
                rules = (*rules, *_rules_in(path, source, {entry.name for entry in entries}))
            # Pushed in reverse, so that they come off the stack in order.
            for entry in entries:
                child, is_directory = source + entry.name, self._is_directory(entry)
                if self._selection.wants(child, entry.path, rules, is_directory=is_directory):
                    pending.append((entry.path, child + "/" if is_directory else child, rules))

    def _is_directory(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._config.follow_symlinks)
        except OSError:  # it is examined as a file, and fails as one
            return False

    def _refused(self, path: str, source: str) -> FileReport | None:
        """A linked directory that is read elsewhere: without this a link to a parent would never end."""
        if not self._config.follow_symlinks or not source or not os.path.islink(path.rstrip("/")):
            return None
        target = os.path.realpath(path)
        inside = f"{target}/".startswith(f"{self._real_root}/") or f"{self._real_root}/".startswith(f"{target}/")
        if inside or target in self._linked:
            return FileReport(source.rstrip("/"), "skipped", "symlink", "it leads to a directory that is read already")
        self._linked.add(target)
        return None


class _Selection:
    """The settings' part of the rules: hidden names, junk, include and exclude."""

    def __init__(self, config: WalkConfig) -> None:
        self._hidden = config.hidden
        self._include = GitIgnoreSpec.from_lines(config.include) if config.include else None
        self._exclude = GitIgnoreSpec.from_lines(config.exclude)

    def wants(self, source: str, path: str, rules: Rules, *, is_directory: bool) -> bool:
        name = source.rpartition("/")[2]
        if name in JUNK or (name.startswith(".") and not self._hidden):
            return False
        if is_directory and (_is_index(path) or os.path.exists(os.path.join(path, "pyvenv.cfg"))):
            return False
        matched = source + "/" if is_directory else source
        if self._exclude.match_file(matched) or _ignored(matched, rules):
            return False
        return is_directory or self._include is None or self._include.match_file(source)


def _ignored(source: str, rules: Rules) -> bool:
    """The last matching rule of the innermost file that has one decides, as in git."""
    for base, spec in reversed(rules):
        if source.startswith(base):
            verdict = spec.check_file(source[len(base) :]).include
            if verdict is not None:
                return verdict
    return False


def _rules_in(path: str, source: str, names: set[str]) -> Rules:
    return tuple((source, _spec(os.path.join(path, name))) for name in IGNORE_FILES if name in names)


def _rules_above(root: Path) -> Rules:
    """Rules of the repository the root lies in, from its top down to the root's parent."""
    root = root.resolve()
    top = next((parent for parent in (root, *root.parents) if (parent / ".git").exists()), root)
    rules: list[tuple[str, GitIgnoreSpec]] = []
    for parent in reversed(root.parents):
        if parent == top or top in parent.parents:
            inside = root.relative_to(parent).as_posix()
            for name in IGNORE_FILES:
                if (parent / name).is_file():
                    rules.append(("", _prefixed(_lines(str(parent / name)), inside)))
    return tuple(rules)


def _prefixed(lines: list[str], inside: str) -> GitIgnoreSpec:
    """Rules of a parent directory, made to match paths below ``inside``."""
    kept = []
    for line in lines:
        rule = line.rstrip("\n")
        negation, body = ("!", rule[1:]) if rule.startswith("!") else ("", rule)
        anchored = "/" in body.rstrip("/")
        if not anchored:
            kept.append(rule)
        elif body.lstrip("/").startswith(inside + "/"):
            kept.append(f"{negation}/{body.lstrip('/')[len(inside) + 1 :]}")
        elif body.startswith("**/"):
            kept.append(rule)
    return GitIgnoreSpec.from_lines(kept)


def _spec(path: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(_lines(path))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()
    except OSError:
        return []


def _is_index(path: str) -> bool:
    return all(os.path.isdir(os.path.join(path, part)) for part in ("versions", "shards"))


def _examine(source: str, path: str, config: WalkConfig) -> SourceFile | FileReport:
    """Look at one directory entry without opening it."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode) and config.follow_symlinks:
            path = os.path.realpath(path)  # reading refuses a name that is a link
            status = os.stat(path)
    except FileNotFoundError:
        return FileReport(source, "skipped", "vanished", "the file was gone before it was read")
    except OSError as error:
        return FileReport(source, "failed", _reason(error), str(error.strerror))
    if stat.S_ISLNK(status.st_mode):
        return FileReport(source, "skipped", "symlink", "symbolic links are not followed (--follow-symlinks)")
    if not stat.S_ISREG(status.st_mode):
        return FileReport(source, "skipped", "not-regular", "a pipe, socket or device")
    if status.st_size > config.max_file_bytes:
        detail = f"{status.st_size} bytes; the limit is {config.max_file_bytes} (--max-file-size)"
        return FileReport(source, "skipped", "too-large", detail)
    return SourceFile(source, path, status.st_size, status.st_mtime_ns)


def _reason(error: OSError) -> str:
    return "permission" if isinstance(error, PermissionError) else "unreadable"
