"""What is packed, against a plain list of the same."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from operator import itemgetter
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2vsearch import packed
from c2vsearch.packed import PackedSequence, PackedSorter
from c2vsearch.records import FileReport, SourceFile

names = st.text(st.characters(codec=None), max_size=6)  # lone surrogates among them
reports = st.lists(st.builds(FileReport, names, st.just("added"), names, names, st.integers(0, 2**63), names))


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PAGE_RECORDS", 3)
    monkeypatch.setattr(packed, "RUN_RECORDS", 6)


def sequence_of(records: list[Any], kind: type = FileReport) -> PackedSequence[Any]:
    made: PackedSequence[Any] = PackedSequence(kind)
    for record in records:
        made.append(record)
    return made


@settings(deadline=None)
@given(reports)
def test_a_packed_sequence_is_the_list(records: list[FileReport]) -> None:
    made = sequence_of(records)
    assert list(made) == records
    assert len(made) == len(records)
    assert [made[place] for place in range(len(records))] == records
    assert [made[place] for place in range(-len(records), 0)] == records
    assert list(made[1:-1:2]) == records[1:-1:2]
    assert made == tuple(records) == made
    assert made != [*records, FileReport("", "added")]
    assert list(pickle.loads(pickle.dumps(made))) == records


def test_what_is_not_there() -> None:
    made = sequence_of([FileReport("a", "added")] * 4)
    for place in (4, -5):
        with pytest.raises(IndexError):
            made[place]
    assert made != 4
    assert repr(made) == "<4 of FileReport>"
    assert sequence_of([SourceFile("a", "/a", 2**62, -1)], SourceFile)[0] == SourceFile("a", "/a", 2**62, -1)


def test_whole_numbers_of_numpy_are_kept_by_value_and_other_types_are_refused() -> None:
    made = sequence_of([FileReport("a", "added", chunks=np.int64(2**40))] * 4)  # type: ignore[arg-type]
    assert [report.chunks for report in made] == [2**40] * 4
    with pytest.raises(TypeError):
        sequence_of([FileReport("a", "added", chunks=1j)] * 4)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b", "\ud83d\ude00", "b\udcff", "\uffff", "\U00010000"]), st.integers())
    )
)
def test_a_sorter_sorts_as_python_does_and_keeps_ties_in_order(records: list[tuple[Any, ...]]) -> None:
    sorter = PackedSorter(key=itemgetter(0))
    for record in records:
        sorter.append(record)
    assert len(sorter) == len(records)
    for _ in range(2):
        assert list(sorter) == sorted(records, key=itemgetter(0))


def interrupted(call: Callable[[], None], *, at: int) -> bool:
    """Call, with Ctrl-C before the step with that number; whether there was one."""
    left = at

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code.co_filename == packed.__file__:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_ctrl_c_at_any_step_keeps_every_record_once() -> None:
    at, stopped = 0, True
    while stopped:
        at += 1
        sorter, put = PackedSorter(key=itemgetter(0)), []

        def fill(sorter: PackedSorter = sorter, put: list[int] = put) -> None:
            for number in range(14):
                sorter.append((number,))
                put.append(number)

        stopped = interrupted(fill, at=at)
        found = [number for (number,) in sorter]
        assert found[: len(put)] == put
        assert len(found) == len(sorter) <= len(put) + 1
        for number in range(len(found), 14):
            sorter.append((number,))
        assert list(sorter) == [(number,) for number in range(14)]
    assert at > 100
