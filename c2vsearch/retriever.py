"""The front door of the library: open an index, search it, get cited context for a prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from c2vsearch.collection import Collection
from c2vsearch.collection.manifest import describe_fingerprint
from c2vsearch.collection.roots import root_of
from c2vsearch.config import SearchConfig
from c2vsearch.encoder import Encoder, TokenEncoder, load_encoder
from c2vsearch.errors import EncoderMismatch, InvalidConfig, ModelNotFound
from c2vsearch.records import Hit, Mode, Passage, path_of
from c2vsearch.search.pipeline import search
from c2vsearch.search.query import Query, parse_query, plain_query
from c2vsearch.search.rerank import LateInteraction, Reranker
from c2vsearch.terminal import visible_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from c2vsearch.collection.compaction import Live
    from c2vsearch.filters import Selection, Selector, Where


@dataclass(frozen=True, slots=True)
class Context:
    """Cited passages for a prompt: ``text`` is ready to paste, ``passages`` says where each part is from."""

    text: str
    passages: tuple[Passage, ...]
    tokens: int


class Retriever:
    r"""Search over one version of an index.

    >>> import tempfile
    >>> from c2vsearch import index_directory
    >>> place = tempfile.TemporaryDirectory()
    >>> _ = Path(place.name, "a.md").write_text("# Ferries\n\nThe ferry leaves at nine.")
    >>> _ = index_directory(place.name, index=Path(place.name, "index"), encoder="hash")
    >>> with Retriever.open(Path(place.name, "index")) as retriever:
    ...     [hit] = retriever.search("when does the ferry leave", k=1)
    >>> hit.source, hit.start_line, hit.end_line
    ('a.md', 1, 3)
    >>> place.cleanup()
    """

    def __init__(self, collection: Collection, encoder: Encoder | str | Path | None = None) -> None:
        self.collection = collection
        self._given = encoder

    @classmethod
    def open(
        cls, path: Path | str, *, encoder: Encoder | str | Path | None = None, version: int | None = None
    ) -> Retriever:
        """Open an index directory.

        Args:
            path: The index.
            encoder: The model that made it, when it lies somewhere else now; found by the name in the index otherwise.
            version: An older version; the newest by default.

        Raises:
            IndexNotFound: There is no index there, or no such version.
            EncoderMismatch: The encoder given is not the one that made the index.
            CorruptFile: The index is damaged.
        """
        retriever = cls(Collection.open(path, version=version), encoder)
        if encoder is not None:
            retriever._check(retriever.encoder)
        return retriever

    def search(
        self,
        text: str,
        *,
        k: int = SearchConfig.k,
        mode: Mode = SearchConfig.mode,
        rerank: bool = SearchConfig.rerank,
        instruction: str | None = None,
        candidates: int = SearchConfig.candidates,
        where: Where | None = None,
    ) -> list[Hit]:
        """The k best chunks for a query, best first.

        Args:
            text: The query: words, "phrases" that hits of the keywords must have, and -exclusions that none may have.
            k: Hits to return, at most.
            mode: "hybrid", "dense" or "bm25".
            rerank: Look at the best candidates again, token by token.
            instruction: What the search is for; the model's default task by default.
            candidates: Chunks each leg contributes.
            where: Which chunks may be given: a dict such as ``{"team": "ops", "year": {">=": 2024}}``, the same as
                text, a `c2vsearch.filters.Filter`, or a ``pyarrow.compute.Expression`` over the columns of the shards.

        Raises:
            InvalidQuery: The query is empty, or the filter speaks of what is not there.
            InvalidConfig: A number or mode that cannot be.
        """
        config = SearchConfig(k=k, mode=mode, rerank=rerank, candidates=candidates)
        return self.search_with(text, config, instruction=instruction, where=where)

    def search_batch(
        self,
        texts: Sequence[str],
        *,
        k: int = SearchConfig.k,
        mode: Mode = SearchConfig.mode,
        rerank: bool = SearchConfig.rerank,
        instruction: str | None = None,
        candidates: int = SearchConfig.candidates,
        where: Where | None = None,
    ) -> list[list[Hit]]:
        """One list of hits a query, in their order; the queries are encoded together."""
        config = SearchConfig(k=k, mode=mode, rerank=rerank, candidates=candidates)
        return self.search_batch_with(texts, config, instruction=instruction, where=where)

    def search_with(
        self, text: str, config: SearchConfig, *, instruction: str | None = None, where: Where | None = None
    ) -> list[Hit]:
        """`search` with all settings in one object."""
        return self.search_batch_with([text], config, instruction=instruction, where=where)[0]

    def search_batch_with(
        self, texts: Sequence[str], config: SearchConfig, *, instruction: str | None = None, highlight: bool = True,
        where: Where | None = None,
    ) -> list[list[Hit]]:  # fmt: skip
        """`search_batch` with all settings in one object; quicker without ``highlight`` when only ranks matter."""
        queries = [(parse_query if config.operators else plain_query)(text) for text in texts]
        among = None if where is None else self.select(where).rows
        words = [query.text for query in queries]
        vectors = None if config.mode == "bm25" else self.encoder.encode_queries(words, instruction=instruction)
        return [
            self._search(query, config, vectors[number] if vectors is not None else None, highlight, among)
            for number, query in enumerate(queries)
        ]

    def select(self, where: Where) -> Selection:
        """The chunks a filter lets through, and how many they are; the same filter costs nothing the second time.

        Raises:
            InvalidQuery: It is no filter, or speaks of what is not there.
        """
        return self._selector.select(where)

    def context(
        self, text: str, *, max_tokens: int = 1500, k: int = 20, mode: Mode = SearchConfig.mode,
        rerank: bool = SearchConfig.rerank, instruction: str | None = None,
    ) -> Context:  # fmt: skip
        """The best passages for a query, numbered and cited, within a budget.

        Overlapping and adjoining chunks of one document become one passage, in reading order. Whole chunks are
        taken, best first, as long as the text they make fits; a budget too small for any gives an empty context.

        Args:
            text: The query.
            max_tokens: Tokens of the whole text, citations included, by the tokenizer of the index's model.
            k: Chunks to draw from.
            mode: As in `search`.
            rerank: As in `search`.
            instruction: As in `search`.
        """
        if max_tokens < 1:
            raise InvalidConfig(f"max_tokens is {max_tokens}; expected at least 1")
        kept: list[Hit] = []
        best = Context("", (), 0)
        for hit in self.search(text, k=k, mode=mode, rerank=rerank, instruction=instruction):
            if any(hit.text in other.text for other in kept):
                continue
            larger = self._context([*kept, hit])
            if larger.tokens <= max_tokens:
                kept.append(hit)
                best = larger
        return best

    def _context(self, hits: Sequence[Hit]) -> Context:
        passages: list[Passage] = []
        parts: list[str] = []
        total = 0
        for number, group in enumerate(_merged(hits), start=1):
            citation, body = _citation(group), _joined(group)
            parts.append(f"[{number}] {citation}\n{body}")
            tokens = len(self.encoder.tokenizer.token_spans("\n\n".join(parts)))
            passages.append(Passage(number, citation, body, tokens - total, tuple(hit.id for hit in group)))
            total = tokens
        return Context("\n\n".join(parts), tuple(passages), total)

    @cached_property
    def encoder(self) -> Encoder:
        """The model of the index, loaded when it is first needed: a keyword search never does.

        Raises:
            EncoderMismatch: The model of that name is not the one that made the index.
        """
        given = self._given if self._given is not None else self.collection.manifest.fingerprint.name
        encoder = given if isinstance(given, Encoder) else self._load(given)
        self._check(encoder)
        return encoder

    @cached_property
    def _selector(self) -> Selector:
        from c2vsearch.filters import Selector

        return Selector(self.collection)

    @cached_property
    def _reranker(self) -> Reranker:
        if not isinstance(self.encoder, TokenEncoder):
            raise InvalidConfig(
                f"the model {self.encoder.fingerprint.name} gives no token states to rerank with; search without rerank"
            )
        return LateInteraction(self.encoder)

    def _search(
        self,
        query: Query,
        config: SearchConfig,
        vector: NDArray[np.float32] | None,
        highlight: bool,
        among: Live | None,
    ) -> list[Hit]:
        reranker = self._reranker if config.rerank else None
        hits = search(
            self.collection, query, vector=vector, config=config, reranker=reranker, highlight=highlight, among=among
        )
        return [dataclasses.replace(hit, file=self._file(hit.source)) for hit in hits]

    def _file(self, source: str) -> str:
        root = root_of(self.collection.manifest.roots, source)
        return root.file(source) if root else ""

    def _load(self, name: str | Path) -> Encoder:
        """The model of a name or path, with embeddings as long as those of the index."""
        made = self.collection.manifest.fingerprint
        try:
            return load_encoder(name, dim=made.dim)
        except ModelNotFound as error:
            raise ModelNotFound(f"{error}; the index was built with it: say where it is with --model PATH") from error
        except InvalidConfig as error:
            raise EncoderMismatch(
                f"{self.collection.root} was built with {describe_fingerprint(made)}; the model at hand is another "
                f"({error}): build the index again with --rebuild, or give the model that made it with --model"
            ) from error

    def _check(self, encoder: Encoder) -> None:
        made = self.collection.manifest.fingerprint
        if encoder.fingerprint != made:
            raise EncoderMismatch(
                f"{self.collection.root} was built with {describe_fingerprint(made)}; the model at hand is "
                f"{describe_fingerprint(encoder.fingerprint)}: build the index again with --rebuild, or give the model "
                "that made it with --model"
            )

    def close(self) -> None:
        """Let go of the files and the model."""
        self.collection.close()
        self.__dict__.pop("encoder", None)
        self.__dict__.pop("_reranker", None)
        self.__dict__.pop("_selector", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _merged(hits: Sequence[Hit]) -> list[list[Hit]]:
    """Hits in groups that overlap or adjoin in one document, each in reading order; groups by their best hit."""
    groups: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.source, hit.member, hit.start)):
        last = groups[-1][-1] if groups else None
        if last is not None and _same(last, hit) and hit.start <= max(h.end for h in groups[-1]) + 2:
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return sorted(groups, key=lambda group: min(hit.rank for hit in group))


def _same(first: Hit, second: Hit) -> bool:
    return (first.source, first.member) == (second.source, second.member)


def _joined(group: Sequence[Hit]) -> str:
    """The text the group covers, each character once.

    Chunks are cut at white space, which belongs to neither: it is a space on one line and a break between two.
    """
    text, end, line = group[0].text, group[0].end, group[0].end_line
    for hit in group[1:]:
        if hit.end > end:
            gap = ("\n" if hit.start_line > line else " ") * (hit.start - end)
            text += gap + hit.text[max(0, end - hit.start) :]
            end, line = hit.end, hit.end_line
    return text


def _citation(group: Sequence[Hit]) -> str:
    """Where the group is from, on one line whatever a file or a heading is called."""
    first = group[0]
    path = path_of(first.source, first.member)
    if first.page is not None:
        last_page = max(hit.page or first.page for hit in group)
        place = f"page {first.page}" if last_page == first.page else f"pages {first.page}-{last_page}"
        return visible_line(f"{path}, {place}")
    lines = f"{path}:{first.start_line}-{max(hit.end_line for hit in group)}"
    return visible_line(f"{lines} ({' > '.join(first.heading_path)})" if first.heading_path else lines)
