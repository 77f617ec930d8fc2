"""A filter as the rows of an index that meet it."""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from c2vsearch.collection import Collection
from c2vsearch.errors import InvalidQuery
from c2vsearch.filters.cells import Cells
from c2vsearch.filters.expression import matching
from c2vsearch.filters.fields import Field, Fields
from c2vsearch.filters.filter import And, Compare, Filter, Not, Or, PathGlob, leaves
from c2vsearch.filters.paths import as_directories, path_spec
from c2vsearch.filters.values import holds, readings
from c2vsearch.filters.where import Where, as_filter
from c2vsearch.records import Value
from c2vsearch.shards.fields import PREFIX, widened

if TYPE_CHECKING:
    from c2vsearch.collection.compaction import Live
    from c2vsearch.shards import Shard

KEPT = 8  # selections at a time: a bit more than a byte a row each

Mask = Callable[[Cells], NDArray[np.bool_]]

_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """The live rows that meet a filter, by shard, how many they are, and how many live rows there are."""

    rows: Live
    matching: int
    chunks: int

    def __str__(self) -> str:
        return f"{self.matching:,} of {self.chunks:,} chunks match the filter"


class Selector:
    """Selects rows of one version of an index; what was selected lately is kept. Threads may share it."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Selection] = OrderedDict()

    def select(self, where: Where) -> Selection:
        """The live rows that meet a filter. Of the shards only the columns it speaks of are read.

        Raises:
            InvalidQuery: A field that is not there, a value it cannot have, or what is no filter.
            CorruptFile: A file is missing or damaged.
        """
        if isinstance(where, pc.Expression):  # which has no key to keep it by
            kinds = {PREFIX + name: widened(kinds) for name, kinds in self._metadata.items()}
            return self._selected(lambda shard: matching(shard, where, kinds))
        filter = as_filter(where)
        key = repr(filter)  # and not the filter: 1 and True are equal, and not the same question
        with self._lock:
            if key not in self._kept:
                columns = sorted({name for leaf in leaves(filter) for name in self._field(leaf).columns})
                mask = self._compiled(filter)
                self._kept[key] = self._selected(lambda shard: mask(Cells(shard.table(columns), rows=len(shard))))
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _selected(self, mask: Callable[[Shard], NDArray[np.bool_]]) -> Selection:
        live = self._collection.live()
        chunks = _count(live)
        for number, entry in enumerate(self._collection.manifest.shards):
            live[entry.name] &= mask(self._collection.shard(number))
        return Selection(live, _count(live), chunks)

    def _compiled(self, filter: Filter) -> Mask:
        """What a filter asks of a shard, checked against the fields there are."""
        match filter:
            case And(parts):
                inside = [self._compiled(part) for part in parts]
                return lambda cells: reduce(np.logical_and, (mask(cells) for mask in inside), cells.each(True))
            case Or(parts):
                inside = [self._compiled(part) for part in parts]
                return lambda cells: reduce(np.logical_or, (mask(cells) for mask in inside), cells.each(False))
            case Not(part):
                inner = self._compiled(part)
                return lambda cells: ~inner(cells)
            case Compare() | PathGlob() as leaf:
                field, wanted = self._field(leaf), self._wanted(leaf)
                return lambda cells: cells.where(field.columns, lambda *row: wanted(field.value(*row)))
        raise InvalidQuery(f"the filter has a part {filter!r}; expected comparisons, and, or and not")

    def _field(self, leaf: Compare | PathGlob) -> Field:
        return self._fields.find(leaf.field if isinstance(leaf, Compare) else "path")

    def _wanted(self, leaf: Compare | PathGlob) -> Callable[[Value | None], bool]:
        if isinstance(leaf, PathGlob):
            spec = path_spec(leaf.patterns)
            return lambda path: spec.match_file(as_directories(str(path)))
        wanted = readings(leaf, self._field(leaf).kinds)
        return lambda value: holds(value, leaf.operator, wanted)

    @cached_property
    def _fields(self) -> Fields:
        return Fields(self._metadata, self._file_time)

    @cached_property
    def _metadata(self) -> dict[str, set[str]]:
        """The types of each field of metadata, over all shards."""
        kinds: dict[str, set[str]] = {}
        for number in range(len(self._collection.manifest.shards)):
            for name, kind in self._collection.shard(number).fields.items():
                kinds.setdefault(name, set()).add(kind)
        return kinds

    def _file_time(self, source: str) -> datetime.datetime | None:
        state = self._collection.sources.get(source)
        if state is None or state.mtime_ns == 0:  # a table of sources that was made anew does not know
            return None
        return _EPOCH + datetime.timedelta(microseconds=state.mtime_ns // 1000)


def _count(live: Live) -> int:
    return sum(int(np.count_nonzero(mask)) for mask in live.values())
