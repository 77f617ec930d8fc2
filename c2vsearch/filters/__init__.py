"""Which chunks a search may give: conditions on paths, types, dates and metadata, compared by type."""

from c2vsearch.filters.filter import And, Compare, Filter, Not, Or, PathGlob
from c2vsearch.filters.parse import parse, parse_pair
from c2vsearch.filters.selection import Selection, Selector
from c2vsearch.filters.where import Where, as_filter

__all__ = [
    "And", "Compare", "Filter", "Not", "Or", "PathGlob", "Selection", "Selector", "Where", "as_filter",
    "parse", "parse_pair",
]  # fmt: skip
