"""BM25 by tantivy, over all live chunks of a version. Commits are incremental; old versions stay as they were.

A version is a directory. The next one starts as hard links to its files: tantivy never changes a segment file
once it is written and replaces ``meta.json`` by rename, so the old directory keeps its bytes. Scores use the
statistics of the whole index, not of a segment of ours.
"""

from __future__ import annotations

import functools
import math
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from c2vsearch.artifacts import storage_errors, sync_directory, sync_file
from c2vsearch.errors import CorruptFile
from c2vsearch.optional import require
from c2vsearch.records import Chunk

# Whoever changes how text becomes terms changes this name: an index of another analysis is refused by it.
ANALYSIS = "words-nfkc-fold-stem-en-cjk-bigrams-1"
MAX_QUERY_TERMS = 1024
K1 = 1.2  # tantivy's

# Scripts written without spaces: their runs become pairs of neighbouring characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_STOP_WORDS = frozenset(
    "a an and are as at be but by can could did do does for from had has have how i if in into is it its me my no not "
    "of on or our shall should so such than that the their them then there these they this those to was we were what "
    "when where which who why will with would you your".split()
)


def spaced(text: str) -> str:
    """Text with its unspaced runs cut into bigrams, so that a word tokenizer can read it.

    >>> spaced("the 日本語 page")
    'the  日本 本語  page'
    """

    def bigrams(match: re.Match[str]) -> str:
        run = match.group()
        pairs = [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        return f" {' '.join(pairs)} "

    return _UNSPACED.sub(bigrams, unicodedata.normalize("NFKC", text))


def query_terms(text: str) -> dict[str, int]:
    """The terms of a query and how often each stands in it, without stop words (unless it has nothing else).

    At most 1,024 of them, in order.
    """
    counts = Counter(_analyzer().analyze(spaced(text)))
    kept = {term: count for term, count in counts.items() if term not in _stop_terms()} or dict(counts)
    return dict(list(kept.items())[:MAX_QUERY_TERMS])


@functools.cache
def _stop_terms() -> frozenset[str]:
    """Stop words as the terms they become."""
    return frozenset(term for word in _STOP_WORDS for term in _analyzer().analyze(word))


def write_version(
    directory: Path, *, previous: Path | None, added: Iterable[tuple[str, Chunk]], removed: Iterable[str]
) -> None:
    """Write a new version: the previous one without ``removed`` keys and with ``added`` chunks.

    A key is ``shard:row``.
    """
    with storage_errors():
        directory.mkdir(parents=True)
        if previous is not None:
            for path in sorted(previous.iterdir()):
                _link(path, directory / path.name)
        index = _open(directory)
        writer = index.writer(heap_size=64_000_000, num_threads=1)
        try:
            for key in removed:
                writer.delete_documents_by_term("key", key)
            for key, chunk in added:
                document = _tantivy().Document()
                document.add_text("key", key)
                document.add_text("head", spaced(" ".join((chunk.title, *chunk.heading_path))))
                document.add_text("body", spaced(chunk.text))
                writer.add_document(document)
            writer.commit()
            writer.garbage_collect_files()
            writer.wait_merging_threads()
        except ValueError as error:  # tantivy's own errors arrive as ValueError, a full disk among them
            if "No space left" in str(error) or "File too large" in str(error):
                raise OSError(28, os.strerror(28), str(directory)) from error
            raise
        for path in sorted(directory.iterdir()):
            if path.name.startswith(".tantivy"):
                path.unlink()
            else:
                sync_file(path)
        sync_directory(directory)
        sync_directory(directory.parent)


class LexicalIndex:
    """One version, open for search. Its files must have been verified before."""

    def __init__(self, directory: Path) -> None:
        try:
            self._index = _open(directory)
            self._searcher = self._index.searcher()
        except (ValueError, OSError) as error:
            raise CorruptFile(f"{directory} cannot be read by tantivy: {str(error)[:120]}") from error

    def search(self, query: str, *, k: int) -> list[tuple[str, float]]:
        """The k best chunks as (key, BM25 score), best first. Any text is a query: it has no syntax."""
        tantivy, schema = _tantivy(), self._index.schema
        terms = query_terms(query)
        if not terms or k < 1:
            return []
        clauses = []
        for term, count in terms.items():
            for field in ("head", "body"):
                clause = tantivy.Query.boost_query(tantivy.Query.term_query(schema, field, term), float(count))
                clauses.append((tantivy.Occur.Should, clause))
        result = self._searcher.search(tantivy.Query.boolean_query(clauses), limit=k, count=False)
        found = [(self._searcher.doc(address)["key"][0], float(score)) for score, address in result.hits]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def ceiling(self, query: str) -> float:
        """The most BM25 could give for a query: every known term, as often as it likes. 0 without known terms."""
        documents = self._searcher.num_docs
        total = 0.0
        for term, count in query_terms(query).items():
            holding = self._searcher.doc_freq("body", term)
            if holding:
                total += count * (K1 + 1) * math.log(1 + (documents - holding + 0.5) / (holding + 0.5))
        return total


def _open(directory: Path) -> Any:
    tantivy = _tantivy()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    for field in ("head", "body"):
        builder.add_text_field(field, stored=False, tokenizer_name="c2vsearch", index_option="freq")
    index = tantivy.Index(builder.build(), path=str(directory))
    index.register_tokenizer("c2vsearch", _analyzer())
    return index


@functools.cache
def _analyzer() -> Any:
    tantivy = _tantivy()
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(r"\w+")).filter(tantivy.Filter.remove_long(200))
    for step in (tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold(), tantivy.Filter.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()


def _link(source: Path, target: Path) -> None:
    # Tantivy rewrites these two in place of replacing them: a copy keeps the old version's bytes.
    if source.suffix == ".json":
        shutil.copyfile(source, target)
        return
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links, or another device
        shutil.copyfile(source, target)


def _tantivy() -> ModuleType:
    return require("tantivy", extra="cpu", purpose="keyword search")
