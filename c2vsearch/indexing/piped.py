"""What comes through a pipe is kept beside the index, so that it can be read again: a file like any other."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from c2vsearch import artifacts
from c2vsearch.collection import layout
from c2vsearch.errors import InvalidConfig

DEFAULT_NAME = "stdin.txt"
# The files of this directory are read whatever the rules around the index say of it.
PIPED_WALKING = {"ignore_files": False}


def keep_piped(data: bytes, *, name: str = DEFAULT_NAME, index: Path | str) -> Path:
    """Keep bytes under a name in the directory of an index, in the place of those that had it.

    Nothing is indexed yet: the directory that is returned is a root for `index_directory`, with ``add=True`` and
    ``walking=PIPED_WALKING``.

    Raises:
        InvalidConfig: The name leads elsewhere, or the directory is none of an index.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     root = keep_piped(b"The ferry leaves at nine.", name="notes/ferry.md", index=place)
    ...     [path.relative_to(root).as_posix() for path in root.rglob("*.md")]
    ['notes/ferry.md']
    """
    place = Path(index)
    layout.refuse_foreign(place)
    target = place / layout.PIPED / _inside(name)
    with artifacts.storage_errors():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        artifacts.write_bytes(target, data)
    return place / layout.PIPED


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or "\0" in name or any(part.startswith(".") for part in path.parts):
        raise InvalidConfig(f"the name of what is piped is {name!r}; expected one such as notes/ferry.md")
    return path
