"""Any order of everything that can be done to an index, against a plain dict: hypothesis looks for the order that fails.

The long run: `C2VSEARCH_EXAMPLES=1000 python -m pytest -m slow tests/collection/test_machine.py` (200 by default).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from c2vsearch.collection import Collection, CollectionWriter, layout
from c2vsearch.collection.archive import pack, unpack
from c2vsearch.collection.maintenance import compact, repair, restore, vacuum
from c2vsearch.records import Chunk
from tests.collection.builder import ENCODER, SMALL, Model, check, chunks_of, put, state, writer

EXAMPLES = int(os.environ.get("C2VSEARCH_EXAMPLES", "200"))
NAMES = st.sampled_from(["a.md", "b.md", "c.md", "d.md", "e.md"])
COUNTS = st.integers(1, 9)


class IndexMachine(RuleBasedStateMachine):
    """``models`` is what each version holds, ``draft`` what the next commit will make of the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="c2vsearch-machine-"))
        self.root = self.place / "i"
        self.models: dict[int, Model] = {}
        self.draft: Model = {}
        self.seed = 0
        self.readers: list[tuple[Collection, Model]] = []
        self._enter()

    def _enter(self) -> None:
        self.opening = writer(self.root)
        self.target: CollectionWriter = self.opening.__enter__()
        self.draft = dict(self.newest)

    def _leave(self) -> None:
        self.opening.__exit__(None, None, None)

    @property
    def newest(self) -> Model:
        return self.models[max(self.models)] if self.models else {}

    def _committed(self, version: int, model: Model) -> None:
        """Versions that are gone by now need no model."""
        assert version == layout.versions(self.root)[-1]
        self.models = {number: each for number, each in self.models.items() if number in layout.versions(self.root)}
        self.models[version] = dict(model)

    def _commit_if(self, at_once: bool) -> None:
        if at_once:
            self._committed(self.target.commit(), self.draft)

    def _chunks(self, name: str, count: int) -> list[Chunk]:
        self.seed += 1
        return chunks_of(name, count, seed=self.seed)

    @rule(name=NAMES, count=COUNTS, at_once=st.booleans())
    def put(self, name: str, count: int, at_once: bool) -> None:
        """Add a source, or replace it."""
        self.draft[name] = self._chunks(name, count)
        put(self.target, self.draft[name], mtime=self.seed)
        self._commit_if(at_once)

    @rule(name=NAMES)
    def put_the_same(self, name: str) -> None:
        """The rows of a committed source once more: files are named by what is in them."""
        if name in self.newest:
            self.draft[name] = self.newest[name]
            put(self.target, self.newest[name], mtime=self.seed)

    @rule(name=NAMES, at_once=st.booleans())
    def remove(self, name: str, at_once: bool) -> None:
        self.target.remove_source(name)
        self.draft.pop(name, None)
        self._commit_if(at_once)

    @rule(name=NAMES)
    def empty(self, name: str) -> None:
        """A file that gives no text any more."""
        self.target.remove_source(name)
        self.target.record_source(state(name, 0, status="empty", reason="no-text"))
        self.draft.pop(name, None)

    @rule(count=COUNTS, more=st.integers(0, 3))
    def begin_and_do_not_finish(self, count: int, more: int) -> None:
        """Rows of a source that is not recorded, or with fewer rows than it says: not a row of it counts."""
        chunks = self._chunks("unfinished.md", count)
        self.target.add(chunks, ENCODER.encode_documents([chunk.text for chunk in chunks]))
        if more:
            self.target.record_source(state("unfinished.md", 99 + more))

    @rule(in_full=st.booleans())
    def commit(self, in_full: bool) -> None:
        self._committed(self.target.commit(compact=in_full), self.draft)

    @rule()
    def reopen(self) -> None:
        """What was not committed is forgotten."""
        self._leave()
        self._enter()

    @precondition(lambda self: self.models)
    @rule()
    def tidy(self) -> None:
        self._leave()
        self._committed(compact(self.root, indexing=SMALL), self.newest)
        self._enter()

    @precondition(lambda self: self.models)
    @rule(keep=st.integers(1, 3))
    def make_room(self, keep: int) -> None:
        self._leave()
        vacuum(self.root, keep_versions=keep, keep_seconds=0.0)
        assert layout.versions(self.root) == sorted(self.models)[-keep:]
        self.models = {number: self.models[number] for number in layout.versions(self.root)}
        self.readers = [reader for reader in self.readers if reader[0].manifest.version in self.models]
        self._enter()

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.models)))
        self._leave()
        self._committed(restore(self.root, version), self.models[version])
        self._enter()

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def damage_and_mend(self, data: st.DataObject) -> None:
        """A file that is made of shards gets lost. Older versions may have shared it: they go."""
        manifest = Collection.open(self.root).manifest
        names = [entry.name for entry in manifest.files() if not layout.is_sole(entry.name)]
        kind = data.draw(st.sampled_from(sorted({name.rpartition(".")[2] for name in names})))
        lost = next(name for name in names if name.endswith(kind))
        self._leave()
        (self.root / lost).unlink()
        assert repair(self.root, indexing=SMALL) == [lost]
        vacuum(self.root, keep_versions=1, keep_seconds=0.0)
        self.models, self.readers = {manifest.version + 1: self.newest}, []
        self._enter()

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def pack_and_unpack(self, data: st.DataObject) -> None:
        """An index of one version, elsewhere; it goes on there, and the index of before is left."""
        version = data.draw(st.sampled_from(sorted(self.models)))
        self.seed += 1
        file, elsewhere = self.place / f"{self.seed}.c2v", self.place / f"unpacked{self.seed}"
        pack(self.root, file, version)
        unpack(file, elsewhere)
        self._leave()
        self.root, self.models, self.readers = elsewhere, {version: self.models[version]}, []
        self._enter()

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def keep_one_open(self, data: st.DataObject) -> None:
        """A reader of any version, that loads what it needs at any later time."""
        version = data.draw(st.sampled_from(sorted(self.models)))
        self.readers = [*self.readers[-2:], (Collection.open(self.root, version=version), self.models[version])]

    @rule()
    def read_what_is_open(self) -> None:
        there = layout.versions(self.root)
        for opened, model in self.readers:
            if opened.manifest.version in there:
                check(opened, model, queries=1)

    @invariant()
    def holds_what_the_dict_holds(self) -> None:
        assert layout.versions(self.root) == sorted(self.models)
        for version in sorted(self.models)[-2:]:
            opened = Collection.open(self.root, version=version)
            check(opened, self.models[version], queries=1)
            opened.verify()

    def teardown(self) -> None:
        self._leave()
        shutil.rmtree(self.place)


def run_machine(examples: int, steps: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(
        IndexMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, derandomize=derandomize, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_any_order_of_everything_holds_what_a_dict_holds() -> None:
    run_machine(15, 25, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_orders_of_everything_hold_what_a_dict_holds() -> None:
    run_machine(EXAMPLES, 40, derandomize=False)
