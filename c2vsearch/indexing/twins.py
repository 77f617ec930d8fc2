"""Files that were added with the bytes of another: those that only moved, and those that are there twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2vsearch.collection import SourceState
from c2vsearch.records import FileReport


@dataclass(frozen=True, slots=True)
class Twins:
    """Of files that were added, by name: what each was called before, or which it is a copy of."""

    moved: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)


def twins(
    reports: Iterable[FileReport], *, before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> Twins:
    """Which added files have the bytes of one that is gone (each of those once), or else of one that is there.

    Names are kept only of files whose bytes are those of another; of all others eight bytes are.

    Args:
        reports: Of a run, in order of their source; gone through several times.
        before: How each source stood.
        after: How each stands.
    """
    shared = _shared(reports, before, after)
    if not shared:
        return Twins()
    added = {name: digest for name, digest in _digests(reports, "added", after) if hash(digest) in shared}
    left: dict[str, list[str]] = {}
    for name, digest in _digests(reports, "deleted", before):
        if hash(digest) in shared:
            left.setdefault(digest, []).append(name)
    there: dict[str, str] = {}
    for state in _indexed(after):
        if hash(state.content_hash) in shared and state.source not in added:
            there[state.content_hash] = min(state.source, there.get(state.content_hash, state.source))
    found = Twins()
    for name, digest in added.items():
        if left.get(digest):
            found.moved[name] = left[digest].pop(0)
        elif digest in there:
            found.copies[name] = there[digest]
        there.setdefault(digest, name)
    return found


def _shared(
    reports: Iterable[FileReport], before: Mapping[str, SourceState], after: Mapping[str, SourceState]
) -> set[int]:
    """Python's hashes of the content hashes that an added file may have in common with another."""
    added = _keys(digest for _, digest in _digests(reports, "added", after))
    if not len(added):
        return set()
    all_keys, counts = np.unique(_keys(state.content_hash for state in _indexed(after)), return_counts=True)
    others = np.concatenate([all_keys[counts > 1], _keys(digest for _, digest in _digests(reports, "deleted", before))])
    return set(np.intersect1d(added, others).tolist())


def _digests(
    reports: Iterable[FileReport], status: str, states: Mapping[str, SourceState]
) -> Iterator[tuple[str, str]]:
    """Sources of a status, with the hash of their bytes; sources that were never read have none."""
    for report in reports:
        if report.status == status and not report.member and (digest := states[report.source].content_hash):
            yield report.source, digest


def _indexed(states: Mapping[str, SourceState]) -> Iterator[SourceState]:
    return (state for state in states.values() if state.status == "indexed" and state.content_hash)


def _keys(digests: Iterable[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, digests), dtype=np.int64)
