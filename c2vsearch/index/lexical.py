"""BM25 by tantivy, over all live chunks of a version. Commits are incremental; old versions stay as they were.

A version is a directory. The next one starts as hard links to its files: tantivy never changes a segment file
once it is written and replaces its two JSON files by rename, so the old directory keeps its bytes. Scores use the
statistics of the whole index, not of a segment of ours.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from c2vsearch.artifacts import read_json, storage_errors, sync_directory, sync_file
from c2vsearch.errors import C2VSearchError, CorruptFile
from c2vsearch.index.analysis import (
    LANGUAGES,
    Word,
    indexed_terms,
    language_of_chunk,
    query_words,
    tagged,
    tantivy,
    terms_of,
)
from c2vsearch.records import Chunk

# Title and headings are part of the text that is searched, and count a little more than the rest.
HEADING_BOOST = 0.2
WRITER_BYTES = 64_000_000
K1 = 1.2  # tantivy's

_DISK_FULL = re.compile(r"os error (\d+)|code: (\d+)|(No space left)")


def write_version(
    directory: Path,
    *,
    previous: Sequence[Path],
    added: Iterable[tuple[str, Chunk]],
    removed: Iterable[str],
) -> None:
    """Write a new version: the previous one without ``removed`` keys and with ``added`` chunks.

    Args:
        directory: Must not exist yet.
        previous: The files of the version before, verified; none to start from nothing.
        added: A key and a chunk for each document.
        removed: Keys.

    Raises:
        StorageFull: The disk is full.
    """
    with storage_errors():
        directory.mkdir(parents=True)
        for path in previous:
            _link(path, directory / path.name)
        try:
            _change(directory, added, removed)
        except C2VSearchError:
            raise
        except (ValueError, OSError) as error:  # tantivy's own errors arrive as ValueError, a full disk among them
            raise _as_os_error(error, directory) from error
        readable_by = directory.stat().st_mode & 0o666  # tantivy keeps its JSON files to the owner, whatever the umask
        for path in directory.iterdir():
            if path.name.startswith(".tantivy"):
                path.unlink()
                continue
            if path.suffix == ".json":
                path.chmod(readable_by)
            sync_file(path)
        sync_directory(directory)
        sync_directory(directory.parent)


def deleted_documents(directory: Path) -> int:
    """Documents in the files of a version that are deleted and only wait to be merged away."""
    segments = _segments(directory / "meta.json")
    return sum((segment["deletes"] or {}).get("num_deleted_docs", 0) for segment in segments)


def _segments(meta: Path) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = read_json(meta)["segments"]
    return segments


class LexicalIndex:
    """One version, open for search. Its files must have been verified before.

    tantivy wants to make a lock file where it reads, so it is given a directory of links elsewhere: an index that
    cannot be written to can be searched, and readers leave no trace. The links are gone once it is open.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._schema = _schema()
        # A thread of tantivy's may write its lock while the directory is being removed: that harms no search.
        with tempfile.TemporaryDirectory(prefix="c2vsearch-", ignore_cleanup_errors=True) as place:
            for path in files:
                os.symlink(path.resolve(), Path(place, path.name))
            try:
                self._searcher = tantivy().Index.open(place).searcher()
            except (ValueError, OSError) as error:
                where = files[0].parent if files else place
                raise CorruptFile(f"{where} cannot be read by tantivy: {str(error)[:120]}") from error
        # Deleted documents count in the statistics of BM25 until they are merged away.
        self._counted = sum(
            segment["max_doc"] for path in files if path.name == "meta.json" for segment in _segments(path)
        )
        held = [language for language in LANGUAGES if self._searcher.doc_freq("language", language)]
        self.languages = tuple(held)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, *, k: int, among: Iterable[str] | None = None) -> list[tuple[str, float]]:
        """The k best chunks as (key, BM25 score), best first. Any text is a query: it has no syntax.

        Args:
            query: Its words.
            k: Chunks to give, at most.
            among: The keys that may be given; None for all. Scores do not depend on it.
        """
        clauses = self._clauses(query)
        if not clauses or k < 1:
            return []
        words = tantivy().Query.boolean_query(clauses)
        if among is not None:
            must = tantivy().Occur.Must
            words = tantivy().Query.boolean_query([(must, words), (must, self._among(among))])
        return self._found(words, min(k, max(1, len(self))))

    def having(self, words: str) -> list[str]:
        """The keys of the chunks that have all the words of a text, stop words among them, each in its language."""
        kind, must, should = tantivy().Query, tantivy().Occur.Must, tantivy().Occur.Should
        clauses = []
        for language in self.languages:
            terms = {tagged([term], language=language) for term in terms_of(words, language=language)}
            every = [(must, kind.term_query(self._schema, "body", term, "basic")) for term in sorted(terms)]
            clauses += [(should, kind.boolean_query(every))] if every else []
        if not clauses:
            return []
        return [key for key, _ in self._found(kind.boolean_query(clauses), max(1, len(self)))]

    def scores(self, query: str, keys: Collection[str]) -> dict[str, float]:
        """The BM25 scores of some chunks; 0 for those that share no term with the query."""
        clauses, wanted = self._clauses(query), sorted(set(keys))
        if not clauses or not wanted:
            return dict.fromkeys(wanted, 0.0)
        among = (tantivy().Occur.Must, self._among(wanted))
        found = self._found(tantivy().Query.boolean_query([among, *clauses]), len(wanted))
        return {**dict.fromkeys(wanted, 0.0), **dict(found)}

    def _among(self, keys: Iterable[str]) -> Any:
        """Some chunks, whose scores it leaves as they are."""
        kind = tantivy().Query
        return kind.const_score_query(kind.term_set_query(self._schema, "key", sorted(keys)), 0.0)

    def _clauses(self, query: str) -> list[tuple[Any, Any]]:
        """A clause a term and field, each of which adds to the score of a chunk that has it.

        A chunk is in one language, so that it has no more than one of the terms of a word.
        """
        clauses = []
        for word, count in query_words(query, languages=self.languages).items():
            clauses += self._word(word, "body", 1.0 * count)
            clauses += self._word(word, "head", HEADING_BOOST * count)
        return clauses

    def _word(self, word: Word, field: str, boost: float) -> list[tuple[Any, Any]]:
        """A word is as rare as its terms are together: one that is rare in a language is no better a word for that."""
        kind, should = tantivy().Query, tantivy().Occur.Should
        held = self._holding(word, field)
        weight = self._rarity(sum(held.values()))
        clauses = []
        for term, holding in held.items():
            clause = kind.term_query(self._schema, field, term, "freq")
            clauses.append((should, kind.boost_query(clause, boost * weight / self._rarity(holding))))
        return clauses

    def _holding(self, word: Word, field: str) -> dict[str, int]:
        """The terms of a word that the index has, and in how many chunks."""
        terms = [tagged([term], language=language) for language, term in word]
        return {term: holding for term in terms if (holding := int(self._searcher.doc_freq(field, term)))}

    def _rarity(self, holding: int) -> float:
        """BM25's inverse document frequency."""
        return math.log(1 + (self._counted - holding + 0.5) / (holding + 0.5))

    def _found(self, query: Any, limit: int) -> list[tuple[str, float]]:
        result = self._searcher.search(query, limit=limit, count=False)
        found = [(self._searcher.doc(address)["key"][0], float(score)) for score, address in result.hits]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def ceiling(self, query: str) -> float:
        """The most BM25 could give for a query: every word, as often as it likes.

        Words the index does not know count as the rarest there are: a query whose telling words are missing
        matches little of itself, however well its other words do.
        """
        total = 0.0
        for word, count in query_words(query, languages=self.languages).items():
            total += count * (K1 + 1) * self._rarity(sum(self._holding(word, "body").values()))
        return total


def _change(directory: Path, added: Iterable[tuple[str, Chunk]], removed: Iterable[str]) -> None:
    index = tantivy().Index(_schema(), path=str(directory))
    writer = index.writer(heap_size=WRITER_BYTES, num_threads=1)  # one thread: the same input, the same segments
    for key in removed:
        writer.delete_documents_by_term("key", key)
    for key, chunk in added:
        writer.add_document(_document(key, chunk))
    writer.commit()
    writer.garbage_collect_files()
    writer.wait_merging_threads()


def _document(key: str, chunk: Chunk) -> Any:
    language = language_of_chunk(chunk)
    head = tagged(indexed_terms(" ".join((chunk.title, *chunk.heading_path)), language=language), language=language)
    text = tagged(indexed_terms(chunk.text, language=language), language=language)
    document = tantivy().Document()
    document.add_text("key", key)
    document.add_text("language", language)
    document.add_text("head", head)
    document.add_text("body", f"{head} {text}")
    return document


def _schema() -> Any:
    builder = tantivy().SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("language", stored=False, tokenizer_name="raw", index_option="basic")
    for field in ("head", "body"):  # terms are made here, not by tantivy
        builder.add_text_field(field, stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _link(source: Path, target: Path) -> None:
    # The two JSON files are replaced by rename, not rewritten; a copy does not depend on that.
    if source.suffix != ".json":
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without hard links, or too many of them
            pass
    shutil.copyfile(source, target)


def _as_os_error(error: Exception, directory: Path) -> Exception:
    """A full disk as the error it is; anything else as it came."""
    found = _DISK_FULL.search(str(error))
    number = next((int(text) for text in (found.groups() if found else ()) if text and text.isdigit()), 0)
    if found and found.group(3):
        number = errno.ENOSPC
    return OSError(number, os.strerror(number), str(directory)) if number else error
